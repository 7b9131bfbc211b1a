// Where the local stack keeps what, under one folder (.quorumq unless told otherwise).
//
// Guarantees: state survives a restart of the stack; `removeState` forgets all of it and nothing
// else; logs are those of the last run. The cluster's name is drawn once per state, so that a
// RabbitMQ or Redis shared with others, or with an earlier state, never mixes two clusters.

import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** Under the folder that the stack was started in, unless --dir says otherwise. */
export const STATE_FOLDER = ".quorumq";

export interface Layout {
  readonly root: string;
  readonly stackFile: string;
  readonly rabbitmqDir: string;
  readonly redisDir: string;
  nodeDir(id: string): string;
  logPath(id: string): string;
}

export function layoutOf(dir: string): Layout {
  const root = resolve(dir);
  return {
    root,
    stackFile: join(root, "stack.json"),
    rabbitmqDir: join(root, "rabbitmq"),
    redisDir: join(root, "redis"),
    nodeDir: (id) => join(root, "nodes", id),
    logPath: (id) => join(root, "logs", `${id}.log`),
  };
}

export function removeState(layout: Layout): void {
  for (const part of ["nodes", "rabbitmq", "redis", "cluster"]) {
    rmSync(join(layout.root, part), { recursive: true, force: true });
  }
}

export function removeLogs(layout: Layout): void {
  rmSync(join(layout.root, "logs"), { recursive: true, force: true });
}

export function clusterName(layout: Layout): string {
  const path = join(layout.root, "cluster");
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const name = `local-${randomBytes(3).toString("hex")}`;
  mkdirSync(layout.root, { recursive: true });
  writeFileSync(path, `${name}\n`);
  return name;
}
