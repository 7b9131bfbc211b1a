// The order of test files: the longest first, so that no worker is left alone with one at the end.
//
// Guarantees: where this machine has run them before, jest's own memory of their times decides. In
// a fresh clone, where jest would go by the size of files, this list does. A file that is listed
// and gone fails the run, so that the list does not rot.
// Does not own: how many run at once (jest.config.mjs).

import { existsSync } from "node:fs";
import { join, relative, sep } from "node:path";
import Sequencer from "@jest/test-sequencer";
import { packageRoot } from "../../deploy/package-root.ts";

/**
 * Those that take longest, in the order to begin them. Files that only compute stand between files
 * that start a whole stack, so that two stacks seldom share the machine.
 */
const LONGEST = [
  "test/integration/stack/fault.test.ts",
  "test/sim/sim.test.ts",
  "test/integration/transport/driver-snapshot.test.ts",
  "test/unit/ledger/ledger-property.test.ts",
  "test/unit/ledger/restore.test.ts",
  "test/unit/ledger/snapshot.test.ts",
  "test/mutant/mutants.test.ts",
  "test/unit/transport/snapshot-codec.test.ts",
  "test/bench/bench.test.ts",
  "test/integration/deploy/local.test.ts",
  "test/integration/stack/error-table.test.ts",
  "test/integration/amqp/broker-fault.test.ts",
  "test/integration/stack/steer.test.ts",
  "test/integration/transport/client-traffic-broker.test.ts",
  "test/integration/stack/live-lease.test.ts",
  "test/integration/disk/sqlite-log-store.test.ts",
  "test/integration/stack/pipeline.test.ts",
  "test/integration/grpc/server.test.ts",
  "test/integration/deploy/dev.test.ts",
  "test/integration/workers/family.test.ts",
  "test/integration/stack/trace.test.ts",
  "test/integration/workers/redis-fault.test.ts",
  "test/integration/workers/redis-loss.test.ts",
  "test/integration/deploy/operator-command.test.ts",
  "test/integration/grpc/greeter.test.ts",
  "test/integration/grpc/cluster.test.ts",
  "test/integration/grpc/wait.test.ts",
  "test/integration/transport/driver-checkpoint.test.ts",
  "test/integration/disk/damage.test.ts",
  "test/integration/disk/snapshot-crash.test.ts",
  "test/unit/deploy/command.test.ts",
  "test/unit/transport/formation.test.ts",
];

export default class LongestFirst extends Sequencer {
  async sort(tests) {
    const gone = LONGEST.filter((path) => !existsSync(join(packageRoot(), path)));
    if (gone.length > 0) throw new Error(`test/support/longest-first.mjs lists ${gone.join(", ")}`);
    const sorted = await super.sort(tests);
    if (sorted.some(({ duration }) => duration !== undefined)) return sorted;
    return sorted.toSorted((left, right) => placeOf(left.path) - placeOf(right.path));
  }
}

function placeOf(path) {
  const name = relative(packageRoot(), path).split(sep).join("/");
  const place = LONGEST.indexOf(name);
  return place === -1 ? LONGEST.length : place;
}
