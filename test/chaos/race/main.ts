// `npm run race`: many callers at the same moment, on the whole stack.
//
//   npm run race -- --race wait --count 10000   waits and watches around very short jobs
//   npm run race -- --race wait --kills 10      while the leader is killed again and again
//   npm run race -- --race key --count 1000     one idempotency key, at once, and after the end
//   npm run race -- --race cancel --count 10000 a cancellation at the moment at which a job ends
//
// Exit code 1 when a call hung, missed an end, saw a change twice, a key made a second job, or a
// job had two ends or its caller was told another.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { jobSpec } from "../../support/job-spec.ts";
import { LocalStack } from "../../support/stack.ts";
import { leaderOf } from "../cluster.ts";
import { raceCancels } from "./cancel-race.ts";
import { raceKey } from "./key-race.ts";
import { openStackDoors, type StackDoors } from "./stack-doors.ts";
import { raceWaits } from "./wait-race.ts";

const { values } = parseArgs({
  options: {
    race: { type: "string", default: "wait" },
    count: { type: "string" },
    gateways: { type: "string", default: "2" },
    /** kill -9 of the leader, each when the last one runs again. */
    kills: { type: "string", default: "0" },
    inflight: { type: "string", default: "200" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});

interface Report {
  readonly failures: readonly string[];
}

/** By the word after --race. */
const RACES: Readonly<Record<string, (doors: StackDoors) => Promise<Report>>> = {
  wait: ({ doors }) =>
    raceWaits({
      doors,
      count: Number(values.count ?? 10_000),
      inflightMax: Number(values.inflight),
      seed: Number(values.seed),
      timeoutMs: 60_000,
      specOf: greeting,
    }),
  key: ({ doors, connection, untilGone }) =>
    raceKey({
      doors,
      connection,
      untilGone,
      count: Number(values.count ?? 1_000),
      spec: greeting(0),
    }),
  cancel: ({ connection, events }) =>
    raceCancels({
      connection,
      events,
      count: Number(values.count ?? 10_000),
      inflightMax: Math.min(64, Number(values.inflight)),
      seed: Number(values.seed),
      specOf: greeting,
    }),
};

function greeting(number: number): ReturnType<typeof jobSpec> {
  return jobSpec({ kind: "greet", payload: Buffer.from(JSON.stringify({ name: `n${number}` })) });
}

/** Until so many, or until the race is over. Returns how many. */
async function killLeaders({ connection }: StackDoors, over: AbortSignal): Promise<number> {
  let kills = 0;
  while (kills < Number(values.kills) && !over.aborted) {
    const leader = await leaderOf(connection.cluster);
    await stack.restarted(leader, stack.kill(leader, "SIGKILL"));
    kills += 1;
  }
  return kills;
}

const race = RACES[values.race];
if (race === undefined) throw new RangeError(`--race is one of ${Object.keys(RACES).join(", ")}`);
const dir = mkdtempSync(join(tmpdir(), "quorumq-race-"));
const stack = await LocalStack.start({ dir });
// The stack ends with this process, also when it is told to end half-way.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void stack.stop().finally(() => process.exit(1)));
}
const doors = await openStackDoors(stack, Number(values.gateways));
try {
  const startMs = performance.now();
  const over = new AbortController();
  const killing = killLeaders(doors, over.signal);
  const { failures, ...figures } = await race(doors);
  over.abort();
  const kills = await killing;
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  process.stdout.write(
    `${JSON.stringify({ race: values.race, seconds, kills, ...figures }, null, 2)}\n`,
  );
  for (const failure of failures.slice(0, 20)) process.stdout.write(`FAILED ${failure}\n`);
  process.stdout.write(`${failures.length} of them failed, seed ${values.seed}\n`);
  process.exitCode = failures.length === 0 ? 0 : 1;
} finally {
  await doors.close();
  await stack.stop();
  rmSync(dir, { recursive: true, force: true });
}
