// One command of a longer procedure, with this process's terminal.
//
// Guarantees: runs in the project's root with its own tools first on PATH; tells the exit code and
// how long it took.

import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { packageRoot } from "./package-root.ts";

export interface StepEnd {
  readonly code: number;
  readonly seconds: number;
}

export async function runStep(words: readonly string[]): Promise<StepEnd> {
  const [command = "", ...args] = words;
  const root = packageRoot();
  const startedMs = performance.now();
  const tools = join(root, "node_modules", ".bin");
  const code = await new Promise<number>((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, PATH: `${tools}${delimiter}${process.env["PATH"] ?? ""}` },
      stdio: ["ignore", "inherit", "inherit"],
    });
    child.once("error", reject);
    child.once("exit", (exitCode) => resolve(exitCode ?? 1));
  });
  return { code, seconds: (performance.now() - startedMs) / 1_000 };
}
