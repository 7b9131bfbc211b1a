// What a test file has started, ended again: also when a test failed half-way.
//
// Guarantees: everything handed to `atEnd` runs after the file's last test, newest first, each
// even if another failed; the failures are then thrown together.

import { afterAll } from "@jest/globals";

type Ending = () => Promise<void> | void;

const STOP_TIMEOUT_MS = 60_000;
const endings: Ending[] = [];

/** Call from anywhere in a test file: top level, hooks or tests. */
export function atEnd(ending: Ending): void {
  endings.push(ending);
}

afterAll(async () => {
  const failures: unknown[] = [];
  for (const ending of endings.splice(0).reverse()) {
    try {
      await ending();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, "teardown failed");
}, STOP_TIMEOUT_MS);
