// The driver of a node whose disk is slow: what it proposes itself may be refused as overloaded.
//
// Does not own: a second node. The core, the ledger and the log on disk are the real thing.

import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import type { CommandBody } from "../../../ledger/command.ts";
import { createLedger } from "../../../ledger/ledger.ts";
import type { Change } from "../../../ledger/result.ts";
import type { Answer } from "../../../protos/gen/node/v1/exchange.ts";
import type { ClientMailbox } from "../../../transport/client-mailbox.ts";
import { commandBodyToWire } from "../../../transport/command-codec.ts";
import { openSqliteLogStore } from "../../../transport/disk/sqlite-log-store.ts";
import { Driver } from "../../../transport/driver.ts";
import { PAYLOAD_BYTES_MAX, UNCOMMITTED_BYTES_MAX } from "../../../transport/limit.ts";
import type { LogStore } from "../../../transport/log-store.ts";
import { memberId } from "../../../transport/member-id.ts";
import type { PeerLink } from "../../../transport/peer-link.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { ledgerSpec } from "../../support/ledger-spec.ts";
import { atEnd } from "../../support/teardown.ts";

const REPLY_TO = "reply";
/** Together, more than a leader takes uncommitted. */
const BULK_COUNT = UNCOMMITTED_BYTES_MAX / PAYLOAD_BYTES_MAX + 1;

const PEERS: PeerLink = {
  send: () => undefined,
  sendHello: () => undefined,
  setPeers: () => undefined,
  incarnationOf: () => 1,
  dropped: () => ({}),
  close: () => Promise.resolve(),
};

/** A disk whose writes wait while it is held. */
function holdable(store: LogStore): LogStore & { hold(): () => void } {
  let held = Promise.resolve();
  return {
    recovered: store.recovered,
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return resolve;
    },
    persist: (write) => held.then(() => store.persist(write)),
    check: () => store.check(),
    openSnapshotWriter: (place) => store.openSnapshotWriter(place),
    readSnapshot: (place, offset, bytes) => store.readSnapshot(place, offset, bytes),
    close: () => store.close(),
  };
}

function submission(payloadBytes: number, runAtMs: number): CommandBody {
  const payload = Buffer.from(JSON.stringify("x".repeat(payloadBytes - 2)), "utf8");
  const job = ledgerSpec({ payload, runAtMs });
  return { kind: "submit-jobs", jobs: [job] };
}

test("a tick that is refused as overloaded is proposed again", async () => {
  const identity = { cluster: "c", nodeId: "n1" };
  const disk = await openSqliteLogStore({ directory: temporaryFolder("overload"), identity });
  atEnd(() => disk.close());
  const store = holdable(disk);
  const leads = Promise.withResolvers<void>();
  const queued = Promise.withResolvers<void>();
  const answers: Answer[] = [];
  let dueJob = "";
  const driver = new Driver({
    cluster: "c",
    memberId: memberId("n1", disk.recovered.storeId),
    founders: ["n1"],
    ledger: createLedger(),
    snapshotLogBytes: 2 ** 40,
    timing: { electionTimeoutMinMs: 40, electionTimeoutMaxMs: 80, heartbeatIntervalMs: 20 },
    seed: 1,
    store,
    logger: silentLogger(),
    onChanges: (changes: readonly Change[]) => {
      if (changes.some(({ job, event }) => job.id === dueJob && event === "queued"))
        queued.resolve();
    },
    onLeading: (isLeading) => isLeading && leads.resolve(),
    onFatal: () => undefined,
  });
  let answered = (): void => undefined;
  const mailbox: ClientMailbox = {
    answer: (_replyTo, answer) => {
      answers.push(answer);
      answered();
    },
    announce: () => undefined,
    publishEvents: () => undefined,
    dropped: () => ({}),
    close: () => Promise.resolve(),
  };
  const call = (callId: number, body: CommandBody): void => {
    const value = commandBodyToWire(body);
    driver.called(REPLY_TO, [
      { callId, deadlineMs: 0, traceparent: "", call: { $case: "propose", value } },
    ]);
  };
  const untilAnswers = (count: number): Promise<void> =>
    new Promise((resolve) => {
      answered = () => answers.length >= count && resolve();
      answered();
    });
  driver.start(PEERS, mailbox);
  atEnd(() => driver.stop());
  await leads.promise;
  const backoff = { initialMs: 1, multiplier: 1, maxMs: 1, jitter: 0.5 };
  const kind = {
    kind: "mail",
    queue: "mail",
    maxAttempts: 1,
    attemptTimeoutMs: 0,
    totalTimeoutMs: 0,
  };
  const templates = { lockTemplates: [], concurrencyTemplates: [] };
  call(1, { kind: "register-kinds", kinds: [{ ...kind, backoff, ...templates }] });
  const dueMs = Date.now() + 300;
  call(2, submission(100, dueMs));
  await untilAnswers(2);
  const second = answers[1]?.answer;
  if (second?.$case === "applied" && second.value.result?.$case === "submitted") {
    dueJob = second.value.result.value.jobs[0]?.jobId ?? "";
  }
  expect(dueJob).not.toBe("");

  const release = store.hold();
  for (let n = 0; n < BULK_COUNT; n += 1) call(10 + n, submission(PAYLOAD_BYTES_MAX, 0));
  // The last of them is refused; then the job falls due, and its tick is refused as well.
  await untilAnswers(3);
  expect(answers[2]?.answer).toMatchObject({ $case: "refused" });
  while (Date.now() < dueMs + 50) await turn();
  release();
  await untilAnswers(2 + BULK_COUNT);
  await queued.promise;
});
