// `npm run slots`: a cron of one second while leaders are killed, then an outage. Exit code 1 when
// a slot has no job or two, or when a policy was not followed.
//
//   npm run slots -- --minutes 10 --kills 5 --outage 120
//
// Guarantees: bounded in time, loopback only, ends what it started.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connectJobs } from "../../../transport/grpc/client.ts";
import { LocalStack } from "../../support/stack.ts";
import { killLeaders, outage } from "./every-second.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    kills: { type: "string", default: "5" },
    /** Seconds; 0: none. */
    outage: { type: "string", default: "120" },
    "missed-after": { type: "string", default: "30" },
  },
});

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const dir = mkdtempSync(join(tmpdir(), "quorumq-slots-"));
const stack = await LocalStack.start({ dir });
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void stack.stop().finally(() => process.exit(1)));
}
say(`stack in ${dir}`);
const connection = connectJobs({ address: stack.address });
const failures: string[] = [];
try {
  const forMs = Number(values.minutes) * 60_000;
  const kills = Number(values.kills);
  failures.push(...(await killLeaders({ stack, connection, say, forMs, kills })));
  const outageMs = Number(values.outage) * 1_000;
  const missedAfterSeconds = Number(values["missed-after"]);
  if (outageMs > 0) {
    const run = { stack, connection, say, forMs: outageMs, missedAfterSeconds };
    failures.push(...(await outage(run)));
  }
} finally {
  connection.close();
  await stack.stop();
}
for (const failure of failures) say(`FAILED ${failure}`);
// What failed is kept for whoever looks into it.
if (failures.length === 0) rmSync(dir, { recursive: true, force: true });
process.exitCode = failures.length === 0 ? 0 : 1;
