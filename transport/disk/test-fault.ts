// A slow disk and a full one on demand, for chaos runs against real processes.
//
//   QUORUMQ_TEST_DISK_DELAY_FILE  while this file exists, each commit takes as many milliseconds
//                                 longer as it says; an empty or unreadable number is none
//   QUORUMQ_TEST_DISK_FULL_FILE   while this file exists, each write fails as on a full disk
//
// Guarantees: without the variables nothing is looked up and nothing happens. With them a file can
// come and go while the process runs.

import { readIfThere, sizeOf } from "./file-system.ts";

export interface TestFault {
  /** Right before a commit: takes its time, or throws. */
  beforeCommit(): void;
  /** Right before another write: throws. */
  beforeWrite(): void;
}

export function testFaultOf(
  env: Readonly<Record<string, string | undefined>>,
  sleep = block,
): TestFault {
  const delayPath = env["QUORUMQ_TEST_DISK_DELAY_FILE"];
  const fullPath = env["QUORUMQ_TEST_DISK_FULL_FILE"];
  function beforeWrite(): void {
    if (fullPath === undefined || sizeOf(fullPath) === null) return;
    // As node:sqlite would: SQLITE_FULL.
    throw Object.assign(new Error("database or disk is full"), { errcode: 13 });
  }
  return {
    beforeWrite,
    beforeCommit() {
      beforeWrite();
      if (delayPath === undefined) return;
      const delayMs = Number(readIfThere(delayPath)?.toString() ?? 0);
      if (delayMs > 0) sleep(delayMs);
    },
  };
}

/** As a slow fsync: the whole thread waits. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
