// `npm run chaos`: the long run. Exit code 1 when a job was lost, doubled or wrong.
//
//   npm run chaos -- --rounds 5 --rate 200
//
// A round is one kill -9 each of leader, follower, gateway, worker, RabbitMQ and Redis.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { LocalStack } from "../support/stack.ts";
import { failuresOf, linesOf, runChaos } from "./chaos.ts";
import { FAULTS } from "./fault.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    rate: { type: "string", default: "200" },
    between: { type: "string", default: "600" },
  },
});

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const dir = mkdtempSync(join(tmpdir(), "quorumq-chaos-"));
const stack = await LocalStack.start({ dir, flags: ["--lease-ms", "3000"] });
say(`stack in ${dir}`);
let isWell = false;
try {
  const rounds = Array.from({ length: Number(values.rounds) }, () => FAULTS);
  const report = await runChaos({
    stack,
    jobsPerSecond: Number(values.rate),
    faults: rounds.flat(),
    jobsBetweenFaults: Number(values.between),
    report: say,
  });
  for (const line of linesOf(report)) say(line);
  const failures = failuresOf(report);
  for (const failure of failures.slice(0, 20)) say(`FAILED ${failure}`);
  isWell = failures.length === 0;
} finally {
  await stack.stop();
}
// What failed is kept for whoever looks into it.
if (isWell) rmSync(dir, { recursive: true, force: true });
process.exitCode = isWell ? 0 : 1;
