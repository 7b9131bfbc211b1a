// .quorumq/stack.json: what of the local stack runs, for people, scripts and tests.
//
// Guarantees: a reader sees the old or the new content, never half of it. The file is there while
// the stack lives and names the process that owns it, so a second stack in the same folder can be
// refused; one that a killed stack left behind does not count. Commands in that folder find the
// stack's addresses and its cluster's name in it.

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { SettingName } from "../settings.ts";
import { layoutOf, STATE_FOLDER } from "./layout.ts";
import type { Role } from "./supervisor.ts";

export interface StackProcess {
  readonly role: Role;
  readonly id: string;
  readonly pid: number;
  readonly ports: Readonly<Record<string, number>>;
  readonly log: string;
}

export interface Stack {
  /** The process that keeps the others running. */
  readonly pid: number;
  readonly cluster: string;
  readonly processes: readonly StackProcess[];
  readonly endpoints: Readonly<Record<string, string>>;
}

export function writeStack(path: string, stack: Stack): void {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(stack, null, 2)}\n`);
  renameSync(draft, path);
}

export function removeStack(path: string): void {
  rmSync(path, { force: true });
}

/** The stack that runs in this folder, or null. */
export function readLiveStack(path: string): Stack | null {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  const stack = JSON.parse(text) as Stack;
  return isAlive(stack.pid) ? stack : null;
}

/** What a command needs to reach the stack that runs in this folder; nothing if none does. */
export function settingsOfStack(cwd: string): Readonly<Partial<Record<SettingName, string>>> {
  const stack = readLiveStack(layoutOf(join(cwd, STATE_FOLDER)).stackFile);
  if (stack === null) return {};
  const { grpc, amqp, redis } = stack.endpoints;
  return {
    cluster: stack.cluster,
    ...(grpc === undefined ? {} : { address: grpc }),
    ...(amqp === undefined ? {} : { amqpUrl: amqp }),
    ...(redis === undefined ? {} : { redisUrl: redis }),
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
