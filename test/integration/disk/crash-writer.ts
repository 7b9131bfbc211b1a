// The victim of crash.test.ts: writes to a log store as fast as it can and says what is durable.
// Write k is one transaction: term k and the three entries up to 3k.

import { once } from "node:events";
import { openSqliteLogStore } from "../../../transport/disk/sqlite-log-store.ts";
import { entries } from "../../support/log-entry.ts";

const WRITES_UNDER_WAY = 8;

const [, , directory = "", nodeId = ""] = process.argv;
const store = await openSqliteLogStore({ directory, identity: { cluster: "test", nodeId } });
let last = store.recovered.entries.length / 3;

async function writeForEver(): Promise<void> {
  for (;;) {
    last += 1;
    const term = last;
    const own = entries(3 * term - 2, 3 * term, term);
    await store.persist({ hardState: { currentTerm: term, votedFor: nodeId }, entries: own });
    if (!process.stdout.write(`${term}\n`)) await once(process.stdout, "drain");
  }
}

await Promise.all(Array.from({ length: WRITES_UNDER_WAY }, writeForEver));
