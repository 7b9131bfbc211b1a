// What an operator is shown of the log: each kind of entry, and never the bytes of a job.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Command, CommandBody, JobSpec } from "../../../ledger/command.ts";
import { LogEntry } from "../../../protos/gen/quorumq/v1/cluster_service.ts";
import { createConfiguration, encodeConfiguration } from "../../../raft/configuration.ts";
import { type Entry, EntryKind } from "../../../raft/message.ts";
import { encodeCommand } from "../../../transport/command-codec.ts";
import {
  BATCH_JOBS_MAX,
  JOB_LOCK_KEYS_MAX,
  KEY_LENGTH_MAX,
  NAME_LENGTH_MAX,
} from "../../../transport/limit.ts";
import { logEntryOf } from "../../../transport/log-entry.ts";
import { ledgerSpec } from "../../support/ledger-spec.ts";
import { wildCommand } from "../ledger/wild-command.ts";

const SECRET = "hunter2-in-a-payload";
const SECRET_BYTES = Buffer.from(JSON.stringify({ secret: SECRET }));
/** Of the whole batch: a page of these still fits a message. */
const DETAIL_LENGTH_MAX = 256 * 1_024;

function entryOf(kind: Entry["kind"], data: Uint8Array): Entry {
  return { index: 7, term: 3, kind, data, traceparent: "" };
}

function shown(body: CommandBody): LogEntry {
  const data = encodeCommand({ timeMs: 1_234, random: 5, body });
  return logEntryOf(entryOf(EntryKind.Command, data));
}

function spec(change: Partial<JobSpec> = {}): JobSpec {
  return ledgerSpec({ kind: "greet", payload: SECRET_BYTES, ...change });
}

describe("an entry", () => {
  test("of a command carries its place, its time and what it does", () => {
    expect(shown({ kind: "cancel-job", jobId: "j-1", reason: "not needed" })).toEqual({
      index: 7,
      term: 3,
      kind: "cancel-job",
      timeMs: 1_234,
      detail: '{"jobId":"j-1","reason":"not needed"}',
    });
  });

  test("of a leader's own has no time", () => {
    const noOp = logEntryOf(entryOf(EntryKind.NoOp, new Uint8Array()));
    expect(noOp).toEqual({ index: 7, term: 3, kind: "no-op", timeMs: 0, detail: "{}" });
  });

  test("of a configuration names the nodes, without their disks", () => {
    const configuration = createConfiguration(
      ["n1#0a1b2c3d", "n2#00000000"],
      ["n4#ffffffff"],
      ["n1#0a1b2c3d", "n3#12345678"],
    );
    const data = encodeConfiguration(configuration);
    const entry = logEntryOf(entryOf(EntryKind.Configuration, data));
    expect(entry.kind).toBe("configuration");
    expect(JSON.parse(entry.detail)).toEqual({
      voters: ["n1", "n2"],
      outgoing: ["n1", "n3"],
      learners: ["n4"],
    });
  });

  test.each([
    [EntryKind.Command, "unknown"],
    [EntryKind.Configuration, "configuration"],
  ] as const)("of kind %i that cannot be read says how long it is", (kind, word) => {
    const entry = logEntryOf(entryOf(kind, Buffer.from([0xff, 0xff, 0xff])));
    expect(entry).toMatchObject({ kind: word, detail: '{"bytes":3}' });
  });

  test("of a submission tells what differs from the kind's own, and the payload's size", () => {
    const jobs = [
      spec(),
      spec({ queue: "q", priority: 2, lockKeys: ["a:1"], idempotencyKey: "k" }),
    ];
    expect(JSON.parse(shown({ kind: "submit-jobs", jobs }).detail)).toEqual({
      count: 2,
      jobs: [
        { kind: "greet", payloadBytes: SECRET_BYTES.byteLength },
        {
          kind: "greet",
          queue: "q",
          payloadBytes: SECRET_BYTES.byteLength,
          priority: 2,
          lockKeys: ["a:1"],
          idempotencyKey: "k",
        },
      ],
    });
  });

  test("of an end tells the result's size, or the error's code but not its message", () => {
    const end = { kind: "finish-attempt", jobId: "j-1", token: 9, worker: "w1" } as const;
    const success = shown({ ...end, outcome: "succeeded", result: SECRET_BYTES, error: null });
    expect(JSON.parse(success.detail)).toEqual({
      ...{ jobId: "j-1", token: 9, worker: "w1", outcome: "succeeded" },
      resultBytes: SECRET_BYTES.byteLength,
    });
    const error = { code: "Refused", message: SECRET, retryable: false };
    const failure = shown({ ...end, outcome: "failed", result: null, error });
    expect(JSON.parse(failure.detail)).toMatchObject({ error: "Refused", retryable: false });
    expect(failure.detail).not.toContain(SECRET);
  });

  test("of a report of progress tells whose it is and how much, not what", () => {
    const report = { jobId: "j-1", token: 9, sequence: 2, lines: [SECRET], lineCount: 3 };
    const reports = [{ ...report, progress: SECRET_BYTES }];
    const { detail } = shown({ kind: "report-progress", worker: "w1", reports });
    expect(JSON.parse(detail)).toEqual({
      ...{ worker: "w1", count: 1 },
      reports: [{ jobId: "j-1", token: 9, progressBytes: SECRET_BYTES.byteLength, lines: 3 }],
    });
  });

  test("of a bulk retry tells the filter, and where it begins", () => {
    const filter = { state: "failed", kind: "greet", queue: "", errorCode: "E" } as const;
    const times = { createdFromMs: 0, createdBeforeMs: 99 };
    const piece = { requestId: "r", fromNumber: 5, retriesMax: 10 };
    const { detail } = shown({ kind: "retry-jobs", filter: { ...filter, ...times }, ...piece });
    expect(JSON.parse(detail)).toEqual({
      ...{ state: "failed", kind: "greet", errorCode: "E", createdBeforeMs: "99" },
      ...{ fromNumber: 5, requestId: "r" },
    });
  });
});

test("the longest batch is cut to what fits a message, and says what is left out", () => {
  const long = "\u0001".repeat(KEY_LENGTH_MAX);
  const job = spec({
    kind: "k".repeat(NAME_LENGTH_MAX),
    lockKeys: Array.from({ length: JOB_LOCK_KEYS_MAX }, () => long),
    idempotencyKey: long,
  });
  const jobs = Array.from({ length: BATCH_JOBS_MAX }, () => job);
  const { detail } = shown({ kind: "submit-jobs", jobs });
  expect(Buffer.byteLength(detail)).toBeLessThan(DETAIL_LENGTH_MAX);
  expect(JSON.parse(detail)).toMatchObject({ count: BATCH_JOBS_MAX });
  expect(JSON.parse(detail).jobs.at(-1)).toBe(`and ${BATCH_JOBS_MAX - 16} more`);
});

/** Puts the secret into every place that holds what users' jobs are about. */
function withSecret({ timeMs, random, body }: Command): Command {
  switch (body.kind) {
    case "submit-jobs": {
      const jobs = body.jobs.map((job) => ({ ...job, payload: SECRET_BYTES }));
      return { timeMs, random, body: { ...body, jobs } };
    }
    case "report-progress": {
      const secret = { progress: SECRET_BYTES, lines: [SECRET] };
      const reports = body.reports.map((report) => ({ ...report, ...secret }));
      return { timeMs, random, body: { ...body, reports } };
    }
    case "finish-attempt": {
      const result = body.outcome === "succeeded" ? SECRET_BYTES : null;
      const error = result === null ? { code: "E", message: SECRET, retryable: true } : null;
      return { timeMs, random, body: { ...body, result, error } };
    }
    default:
      return { timeMs, random, body };
  }
}

function isEncodable(command: Command): boolean {
  try {
    encodeCommand(command);
    return true;
  } catch {
    // The generated encoder refuses numbers that no field can carry, by throwing.
    return false;
  }
}

test("no command shows a byte of a payload or result; each is sound JSON and fits the wire", () => {
  let seen = 0;
  fc.assert(
    fc.property(wildCommand.map(withSecret).filter(isEncodable), (command) => {
      const entry = logEntryOf(entryOf(EntryKind.Command, encodeCommand(command)));
      expect(entry.detail).not.toContain(SECRET);
      expect(entry.detail).not.toContain(SECRET_BYTES.toString("base64"));
      expect(JSON.parse(entry.detail)).toBeInstanceOf(Object);
      expect(LogEntry.decode(LogEntry.encode(entry).finish()).kind).toBe(entry.kind);
      if (entry.detail.includes("Bytes")) seen += 1;
    }),
    { numRuns: 500 },
  );
  expect(seen).toBeGreaterThan(0);
});

test("whatever bytes an entry has, it is shown", () => {
  const kind = fc.constantFrom(...Object.values(EntryKind));
  fc.assert(
    fc.property(kind, fc.uint8Array({ maxLength: 64 }), (of, data) => {
      const entry = logEntryOf(entryOf(of, data));
      expect(JSON.parse(entry.detail)).toBeInstanceOf(Object);
      expect(LogEntry.encode(entry).finish().byteLength).toBeGreaterThan(0);
    }),
  );
});
