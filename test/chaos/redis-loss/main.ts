// `npm run redis-loss`: Redis is lost every few seconds under load; nothing that was accepted is.
//
//   npm run redis-loss -- --minutes 3 --rate 300 --every 10 --how flush
//   npm run redis-loss -- --how kill      killed, and an empty one started
//   npm run redis-loss -- --how clock     its clock an hour ahead, an hour behind, and right again
//   npm run redis-loss -- --no-locks      the workers take no locks in Redis at all
//
// Guarantees: bounded in time, loopback only, ends what it started. Exit code 1 when a job was
// lost, doubled, early or wrong, when two holders of a key overlapped, or a key's token did not
// rise.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Job } from "../../../protos/gen/quorumq/v1/job.ts";
import { type Client, createClient } from "../../../workers/index.ts";
import type { Summary } from "../../bench/percentile.ts";
import { LocalStack } from "../../support/stack.ts";
import { BACKOFF_MS } from "./probe-jobs.ts";
import { ProbeLoad } from "./probe-load.ts";
import { marksOf } from "./probe-mark.ts";
import { beginSchedule, endSchedule, tickVerdictOf } from "./probe-schedule.ts";
import { RedisUnderTest } from "./redis-under-test.ts";
import { type Verdict, verdictOf } from "./verdict.ts";

const HOUR_SECONDS = 3_600;
const WAIT_MS = 120_000;
const READS_AT_ONCE = 50;
/** Half of a backoff is random (ledger/backoff.ts). */
const BACKOFF_MS_MIN = BACKOFF_MS / 2;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "3" },
    rate: { type: "string", default: "300" },
    every: { type: "string", default: "10" },
    crowd: { type: "string", default: "500" },
    how: { type: "string", default: "flush" },
    "no-locks": { type: "boolean", default: false },
  },
});

type How = "flush" | "kill" | "clock";
const how = values.how as How;
if (!["flush", "kill", "clock"].includes(how))
  throw new RangeError("--how is flush, kill or clock");

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const dir = mkdtempSync(join(tmpdir(), "quorumq-redis-loss-"));
const redisDir = join(dir, "redis-under-test");
const redis = await (how === "clock"
  ? RedisUnderTest.startShifted(redisDir)
  : RedisUnderTest.start(redisDir));
const lockFlags = values["no-locks"] ? ["--redis-locks", "off"] : [];
const stack = await LocalStack.start({
  dir,
  flags: ["--lease-ms", "3000", "--concurrency", "32", ...lockFlags],
  files: [join(import.meta.dirname, "probe-jobs.ts")],
  env: { QUORUMQ_REDIS_URL: redis.url },
});
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void stack.stop().finally(() => process.exit(1)));
}
say(`stack in ${dir}; Redis: ${how} every ${values.every} s for ${values.minutes} min`);
let isWell = false;
try {
  isWell = await run();
} finally {
  await stack.stop();
  await redis.stop();
}
if (isWell) rmSync(dir, { recursive: true, force: true });
process.exitCode = isWell ? 0 : 1;

async function run(): Promise<boolean> {
  const client = createClient({ address: stack.address });
  const file = join(dir, "marks.jsonl");
  await beginSchedule(client, file);
  const load = new ProbeLoad({ client, jobsPerSecond: Number(values.rate), file });
  const strikes = await strike(load);
  const { acceptedIds: submitted, failures } = await load.stop();
  const acceptedIds = [...submitted, ...(await endSchedule(client))];
  say(`${acceptedIds.length} jobs accepted, Redis lost ${strikes} times; waiting for their ends`);
  const { jobs, lost } = await ends(client, acceptedIds);
  const { counts } = await client.cluster();
  client.close();
  const verdict = verdictOf(jobs, marksOf(file), BACKOFF_MS_MIN);
  for (const line of linesOf(verdict, acceptedIds.length, lost)) say(line);
  const ticks = tickVerdictOf(jobs);
  say(`slots · wrong        ${ticks.slots} · ${ticks.wrong.length}`);
  say(`late after slot      ${shown(ticks.late)}`);
  say(`refused as late      ${counts?.refusedLate ?? "?"}`);
  const found = [
    ...failures,
    ...lost.map((id) => `lost: ${id}`),
    ...verdict.wrong.map((what) => `wrong: ${what}`),
    ...verdict.early.map((what) => `early: ${what}`),
    ...ticks.wrong.map((what) => `slot: ${what}`),
    ...verdict.locks.overlaps.map((what) => `overlap: ${what}`),
    ...verdict.locks.fallen.map((what) => `token fell: ${what}`),
  ];
  for (const what of found.slice(0, 20)) say(`FAILED ${what}`);
  return found.length === 0;
}

/** Every so often, a crowd first, so that much waits when it happens. Returns how often. */
async function strike(load: ProbeLoad): Promise<number> {
  const everyMs = Number(values.every) * 1_000;
  const times = Math.floor((Number(values.minutes) * 60_000) / everyMs);
  for (let time = 0; time < times; time += 1) {
    await delay(everyMs);
    load.crowd(Number(values.crowd));
    await delay(100);
    if (how === "flush") await redis.flush();
    else if (how === "kill") await redis.killAndStart();
    else await redis.setClock([HOUR_SECONDS, -HOUR_SECONDS, 0][time % 3] ?? 0);
    say(`${how} ${time + 1} of ${times}: ${load.acceptedCount} accepted so far`);
  }
  return times;
}

async function ends(
  client: Client,
  ids: readonly string[],
): Promise<{ jobs: readonly Job[]; lost: readonly string[] }> {
  const jobs: Job[] = [];
  const lost: string[] = [];
  for (let at = 0; at < ids.length; at += READS_AT_ONCE) {
    const batch = ids.slice(at, at + READS_AT_ONCE);
    const waits = batch.map((id) => client.wait(id, { deadlineMs: WAIT_MS }));
    for (const [position, outcome] of (await Promise.allSettled(waits)).entries()) {
      if (outcome.status === "fulfilled") jobs.push(outcome.value);
      else lost.push(`${batch[position]}: ${outcome.reason}`);
    }
  }
  return { jobs, lost };
}

function linesOf(verdict: Verdict, accepted: number, lost: readonly string[]): readonly string[] {
  const { recordedOnce, wrong, early, delayed, retried, locks } = verdict;
  return [
    `accepted             ${accepted}`,
    `recorded once        ${recordedOnce}`,
    `lost · wrong         ${lost.length} · ${wrong.length}`,
    `early                ${early.length}`,
    `late after run_at    ${shown(delayed)}`,
    `late after backoff   ${shown(retried)}`,
    `keys · holds         ${locks.keys} · ${locks.holds}`,
    `overlaps · fallen    ${locks.overlaps.length} · ${locks.fallen.length}`,
  ];
}

function shown({ count, p50, p99, max }: Summary): string {
  return `${count} jobs: p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`;
}
