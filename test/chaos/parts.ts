// Every process of a run, whoever keeps it running: those of the stack and the nodes added to it.
//
// Guarantees: a signal goes to the process that runs under this id now, and only to that.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LocalStack } from "../support/stack.ts";
import type { ExtraNodes } from "./extra-nodes.ts";

const RESTART_TIMEOUT_MS = 90_000;

/** Variables that let a file, by its presence, slow down or fill up one node's disk. */
export function diskFaultVariables(dir: string): Record<string, string> {
  return {
    QUORUMQ_TEST_DISK_DELAY_FILE: join(dir, "disk-faults", "{id}.delay-ms"),
    QUORUMQ_TEST_DISK_FULL_FILE: join(dir, "disk-faults", "{id}.full"),
  };
}

export class Parts {
  readonly stack: LocalStack;
  readonly extras: ExtraNodes;

  constructor(stack: LocalStack, extras: ExtraNodes) {
    this.stack = stack;
    this.extras = extras;
    mkdirSync(join(stack.dir, "disk-faults"), { recursive: true });
  }

  /** Throws when it does not run now. */
  pidOf(id: string): number {
    return this.extras.pidOf(id) ?? this.stack.process(id).pid;
  }

  /** Returns the pid it went to. */
  signal(id: string, signal: NodeJS.Signals): number {
    const pid = this.pidOf(id);
    process.kill(pid, signal);
    return pid;
  }

  restarted(id: string, deadPid: number): Promise<void> {
    if (this.extras.ids().includes(id)) {
      return this.extras.restarted(id, deadPid, RESTART_TIMEOUT_MS);
    }
    return this.stack.restarted(id, deadPid, RESTART_TIMEOUT_MS);
  }

  nodeDir(id: string): string {
    return join(this.stack.dir, "nodes", id);
  }

  /** Each commit takes so much longer; 0: no longer. */
  slowDisk(id: string, delayMs: number): void {
    const path = join(this.stack.dir, "disk-faults", `${id}.delay-ms`);
    if (delayMs > 0) writeFileSync(path, String(delayMs));
    else rmSync(path, { force: true });
  }

  fullDisk(id: string, isFull: boolean): void {
    const path = join(this.stack.dir, "disk-faults", `${id}.full`);
    if (isFull) writeFileSync(path, "");
    else rmSync(path, { force: true });
  }
}
