// The machine that the figures are of, and the versions of what ran on it.

import { execFile } from "node:child_process";
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findProgram } from "../../deploy/local/programs.ts";
import { packageRoot } from "../../deploy/package-root.ts";
import type { LocalStack } from "../support/stack.ts";
import { summaryOf } from "./percentile.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  /** Before anything of ours ran: others on the machine make figures worse. */
  readonly loadBefore: number;
  /** Median of a 4 KiB write with fsync in the folder that holds the nodes' logs. */
  readonly fsyncMs: number;
  readonly node: string;
  readonly quorumq: string;
  readonly bullmq: string;
  readonly redis: string;
  /** null: no stack was needed. */
  readonly rabbitmq: string | null;
}

const FSYNCS = 50;

export async function describeMachine(
  dir: string,
  loadBefore: number,
  rabbitmq: string | null,
): Promise<Machine> {
  const { stdout } = await promisify(execFile)(findProgram("redis-server"), ["--version"]);
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadBefore,
    fsyncMs: Math.round(medianFsyncMs(dir) * 1_000) / 1_000,
    node: process.versions.node,
    quorumq: versionIn(packageRoot()),
    bullmq: versionIn(join(packageRoot(), "node_modules", "bullmq")),
    redis: /v=(\S+)/.exec(stdout)?.[1] ?? "unknown",
    rabbitmq,
  };
}

/** Of the last minute. */
export function currentLoad(): number {
  return Math.round((loadavg()[0] ?? 0) * 10) / 10;
}

export async function rabbitmqVersion(stack: LocalStack): Promise<string> {
  const { username, password } = new URL(stack.endpoint("amqp"));
  const credentials = Buffer.from(`${username}:${password}`).toString("base64");
  const answer = await fetch(`${stack.endpoint("rabbitmqUi")}/api/overview`, {
    headers: { authorization: `Basic ${credentials}` },
  });
  const overview = (await answer.json()) as { readonly rabbitmq_version?: string };
  return overview.rabbitmq_version ?? "unknown";
}

function medianFsyncMs(dir: string): number {
  const path = join(dir, "fsync-probe");
  const file = openSync(path, "w");
  const block = Buffer.alloc(4_096, 1);
  const samples = Array.from({ length: FSYNCS }, () => {
    const beganMs = performance.now();
    writeSync(file, block);
    fsyncSync(file);
    return performance.now() - beganMs;
  });
  closeSync(file);
  rmSync(path);
  return summaryOf(samples).p50;
}

function versionIn(folder: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return (manifest as { readonly version: string }).version;
}
