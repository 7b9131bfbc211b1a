// A second process under a node's id, with a disk of its own: it must refuse to start.
//
// Guarantees: throws when it runs, or ends for another reason.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { NODE_CLI, nodeEnvironment } from "./extra-nodes.ts";
import { type Fault, nodeOfRank, type World } from "./fault.ts";

/** It waits five seconds for the other one to end. */
const END_TIMEOUT_MS = 60_000;

export const startTwin: Fault = {
  name: "twin",
  holdMs: 0,
  strike: async (world) => {
    const victim = await nodeOfRank(world, "node");
    const { code, output } = await runTwin(world, victim);
    if (code === 0 || code === null || !output.includes("IdentityTakenError")) {
      throw new Error(`a second ${victim} ended with ${code}:\n${output}`);
    }
    return { victim, heal: () => Promise.resolve() };
  },
};

async function runTwin(
  { parts, members, nodeEnv }: World,
  id: string,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const directory = mkdtempSync(join(parts.stack.dir, "twin-"));
  const words = ["node", "--node-id", id, "--members", members.join(","), "--data-dir", directory];
  const child = spawn(process.execPath, [NODE_CLI, ...words], {
    env: nodeEnvironment(parts.stack, id, nodeEnv),
    stdio: ["ignore", "pipe", "pipe"],
    timeout: END_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  let output = "";
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  await once(child, "close");
  rmSync(directory, { recursive: true, force: true });
  return { code: child.exitCode, output };
}
