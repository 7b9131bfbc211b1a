// The CLI as a process of its own, next to whatever this one serves.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { packageRoot } from "../../deploy/package-root.ts";

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const CLI = join(packageRoot(), "deploy", "cli.ts");

/** Without a terminal, colours or settings from outside. */
export async function runCli(words: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [CLI, ...words], {
    env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 20_000,
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}
