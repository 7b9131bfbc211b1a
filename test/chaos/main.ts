// `npm run chaos`: the long run. Exit code 1 when a job was lost, doubled or wrong, when two nodes'
// ledgers differ, or when what callers saw fits no order.
//
//   npm run chaos -- --minutes 15 --rate 200
//   npm run chaos -- --rounds 1 --only kill        faults whose names begin with a word
//
// A round is each fault once (faults.ts), in an order drawn from the seed.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { LocalStack } from "../support/stack.ts";
import { type ChaosReport, runChaos } from "./chaos.ts";
import { ALL_FAULTS } from "./faults.ts";
import { diskFaultVariables } from "./parts.ts";
import { failuresOf, linesOf } from "./report.ts";
import { scheduled } from "./schedule.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string" },
    minutes: { type: "string" },
    rate: { type: "string", default: "200" },
    between: { type: "string", default: "400" },
    nodes: { type: "string", default: "3" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    only: { type: "string", multiple: true, default: [] },
    json: { type: "boolean", default: false },
  },
});

/** With --json, standard output is the report and nothing else. */
function say(line: string): void {
  (values.json ? process.stderr : process.stdout).write(`${line}\n`);
}

const faults = ALL_FAULTS.filter(
  ({ name }) => values.only.length === 0 || values.only.some((word) => name.startsWith(word)),
);
if (faults.length === 0) throw new Error(`no fault's name begins with ${values.only.join(", ")}`);
const minutes = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes);
const roundsUnlessTold = values.minutes === undefined ? 1 : Number.POSITIVE_INFINITY;
const rounds = values.rounds === undefined ? roundsUnlessTold : Number(values.rounds);

const dir = mkdtempSync(join(tmpdir(), "quorumq-chaos-"));
// Small, so that every node takes a snapshot and drops its log every few seconds.
const nodeEnv = { ...diskFaultVariables(dir), QUORUMQ_SNAPSHOT_LOG_BYTES: String(256 * 1024) };
const stack = await LocalStack.start({ dir, flags: ["--lease-ms", "3000"], env: nodeEnv });
// The stack ends with this process, also when it is told to end half-way.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void stack.stop().finally(() => process.exit(1)));
}
say(`stack in ${dir}, seed ${values.seed}`);
let isWell = false;
try {
  const report: ChaosReport = await runChaos({
    stack,
    nodeEnv,
    nodes: Number(values.nodes),
    jobsPerSecond: Number(values.rate),
    seed: Number(values.seed),
    faults: (dice) => scheduled(faults, dice, rounds),
    durationMs: minutes * 60_000,
    jobsBetweenFaults: Number(values.between),
    report: say,
  });
  for (const line of linesOf(report)) say(line);
  const failures = failuresOf(report);
  for (const failure of failures.slice(0, 20)) say(`FAILED ${failure}`);
  isWell = failures.length === 0;
  if (values.json) process.stdout.write(`${JSON.stringify({ isWell, ...report }, null, 2)}\n`);
} finally {
  await stack.stop();
}
// What failed is kept for whoever looks into it.
if (isWell) rmSync(dir, { recursive: true, force: true });
process.exitCode = isWell ? 0 : 1;
