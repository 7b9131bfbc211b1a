// What workers/progress-reporter.ts sends, and when, on a real ledger.

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { CommandBody } from "../../../ledger/command.ts";
import { getJob } from "../../../ledger/ledger.ts";
import type { Fenced } from "../../../protos/gen/node/v1/exchange.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { ProgressReporter } from "../../../workers/progress-reporter.ts";
import { ledgerSpec } from "../../support/ledger-spec.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";
import { kindOf } from "../ledger/world.ts";

let quorum: SoloQuorum;
let reporter: ProgressReporter;
let stale: Fenced[];

function started(): { jobId: string; token: number } {
  quorum.apply({ kind: "submit-jobs", jobs: [ledgerSpec({ payload: Buffer.from("1") })] });
  const jobId = `j-${quorum.index}`;
  const start = { jobId, worker: "w", startId: `s-${jobId}`, leaseMs: 60_000 };
  quorum.apply({ kind: "start-attempt", ...start });
  return { jobId, token: quorum.index };
}

function reports(): Extract<CommandBody, { kind: "report-progress" }>[] {
  return quorum.proposed.filter((body) => body.kind === "report-progress");
}

function told(jobId: string): readonly [string, readonly string[], number] {
  const job = getJob(quorum.ledger, jobId);
  const progress = Buffer.from(job?.progress ?? []).toString("utf8");
  return [progress, job?.logLines.map(({ text }) => text) ?? [], job?.logLineCount ?? 0];
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

beforeEach(() => {
  quorum = new SoloQuorum();
  quorum.apply({ kind: "register-kinds", kinds: [kindOf()] });
  stale = [];
  const logger = silentLogger();
  reporter = new ProgressReporter({
    ...{ quorum, worker: "w", logger, pauseMs: 60_000 },
    stale: (fenced) => stale.push(fenced),
  });
});

afterEach(async () => {
  reporter.stop();
  await quorum.close();
});

describe("a flush", () => {
  test("sends what there is at once: the latest progress and all lines", async () => {
    const ref = started();
    const attempt = reporter.open(ref);
    attempt.progress(json(1));
    attempt.log("a");
    attempt.progress(json(2));
    attempt.log("b");
    await attempt.flush();
    expect(told(ref.jobId)).toEqual(["2", ["a", "b"], 2]);
    expect(reports()).toHaveLength(1);
    await attempt.flush();
    expect(reports()).toHaveLength(1);
  });

  test("takes along what other attempts have to tell", async () => {
    const [one, other] = [started(), started()];
    const attempts = [reporter.open(one), reporter.open(other)];
    for (const [at, attempt] of attempts.entries()) attempt.progress(json(at));
    await attempts[0]?.flush();
    expect(told(other.jobId)[0]).toBe("1");
    expect(reports()).toHaveLength(1);
  });

  test("ends when the quorum does not answer", async () => {
    const attempt = reporter.open(started());
    attempt.log("lost");
    quorum.interrupt({ kind: "unavailable", reason: "no-leader" });
    await attempt.flush();
    expect(reports()).toEqual([]);
  });
});

test("what has no answer goes again as it was, and is recorded once", async () => {
  const ref = started();
  const attempt = reporter.open(ref);
  const { propose } = quorum;
  // Applied, and its answer got lost.
  quorum.propose = async (body, options) => {
    await propose.call(quorum, body, options);
    return { kind: "unknown" };
  };
  attempt.progress(json(1));
  attempt.log("a");
  await attempt.flush();
  quorum.propose = propose;
  attempt.log("b");
  await attempt.flush();
  expect(told(ref.jobId)).toEqual(["1", ["a", "b"], 2]);
  const [first, again, last] = reports().map(({ reports: [report] }) => report);
  expect(again).toEqual(first);
  expect(last?.sequence).toBeGreaterThan(first?.sequence ?? 0);
});

test("of very many lines the last are sent, and all are counted", async () => {
  const ref = started();
  const attempt = reporter.open(ref);
  for (let at = 1; at <= 250; at += 1) attempt.log(`${at}`);
  await attempt.flush();
  const [, lines, count] = told(ref.jobId);
  expect([lines.length, lines.at(0), lines.at(-1), count]).toEqual([100, "151", "250", 250]);
});

test("who is not current is told, and what a closed attempt says is not sent", async () => {
  const ref = started();
  quorum.apply({ kind: "cancel-job", jobId: ref.jobId, reason: "" });
  const attempt = reporter.open(ref);
  attempt.progress(json(1));
  await attempt.flush();
  expect(stale).toMatchObject([ref]);
  attempt.close();
  attempt.log("more");
  await attempt.flush();
  expect(reports()).toHaveLength(1);
});
