// One mutant, or the sources as they are, under the simulator: seed by seed until it is caught.
//
// Guarantees: each hunt is a process of its own in a workspace; a seed that does not end in its
// time is a violation of liveness like any other ("I22 ends"), since a planted bug may well loop;
// so is a process that dies without a word ("crash"). What was started is ended.
// Does not own: the workspace's copy (workspace.ts), nor the table (table.ts).

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type Mutant, seedsMaxOf, silenced } from "./mutant.ts";
import type { SeedLine } from "./run-seeds.ts";
import type { Workspace } from "./workspace.ts";

/** A seed takes well under a second; a busy machine is slow, and a loop never ends. */
const SEED_MS_MAX = 240_000;
const HEAP_MB_MAX = 1_500;
/** With the core's assertions off: enough to see who else notices, without an hour of seeds. */
export const OBSERVER_SEEDS_MAX = 50;

export interface Verdict {
  /** tested: no seed showed it, but the test that it names fails. */
  readonly kind: "caught" | "unexpected" | "survived" | "tested";
  /** Of the first violation; null: there was none. */
  readonly invariant: string | null;
  /** The first line of what the simulator said. */
  readonly text: string;
  /** The seed that was violated, or how many were run. */
  readonly seeds: number;
  /** Where the core itself noticed: what notices when its assertions are off. */
  readonly observer?: Pick<Verdict, "invariant" | "seeds">;
}

export async function hunt(workspace: Workspace, mutant: Mutant, cap: number): Promise<Verdict> {
  const verdict = await look(workspace, mutant, cap);
  if (verdict.kind === "survived" && mutant.test !== undefined) {
    const isNoticed = await failsTest(workspace, mutant, mutant.test);
    return isNoticed ? { ...verdict, kind: "tested" } : verdict;
  }
  if (verdict.invariant?.startsWith("core ") !== true) return verdict;
  const { invariant, seeds } = await look(
    workspace,
    silenced(mutant),
    Math.min(cap, OBSERVER_SEEDS_MAX),
  );
  return { ...verdict, observer: { invariant, seeds } };
}

async function look(workspace: Workspace, mutant: Mutant, cap: number): Promise<Verdict> {
  workspace.apply(mutant);
  try {
    const last = await runSeedsTwice(workspace, Math.min(cap, seedsMaxOf(mutant)));
    const { invariant, seed: seeds } = last;
    const text = last.text.split("\n")[0] ?? "";
    if (invariant === null) return { kind: "survived", invariant, text, seeds };
    const isExpected = mutant.caughtBy.includes(invariant);
    return { kind: isExpected ? "caught" : "unexpected", invariant, text, seeds };
  } finally {
    workspace.restore();
  }
}

/** A machine that was asleep looks like a loop: what did not end or died is run once more. */
async function runSeedsTwice(workspace: Workspace, to: number): Promise<SeedLine> {
  const last = await runSeeds(workspace, 1, to);
  const isDoubtful = last.invariant === "I22 ends" || last.invariant === "crash";
  return isDoubtful ? runSeeds(workspace, last.seed, to) : last;
}

/** The last seed that was run. */
export function runSeeds(
  workspace: Workspace,
  from: number,
  to: number,
  told: (seed: number) => void = () => {},
): Promise<SeedLine> {
  return new Promise((resolve, reject) => {
    const script = "test/mutant/run-seeds.ts";
    const words = [`--max-old-space-size=${HEAP_MB_MAX}`, script, `${from}`, `${to}`];
    const child = spawn(process.execPath, words, {
      cwd: workspace.folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let last: SeedLine = { seed: from - 1, invariant: null, text: "" };
    let isOverdue = false;
    let complaint = "";
    const watch = setTimeout(() => {
      isOverdue = true;
      child.kill("SIGKILL");
    }, SEED_MS_MAX);
    createInterface({ input: child.stdout }).on("line", (line) => {
      watch.refresh();
      last = JSON.parse(line) as SeedLine;
      told(last.seed);
    });
    child.stderr.on("data", (data: Buffer) => {
      complaint = `${complaint}${data}`.slice(-4_000);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(watch);
      const seed = last.seed + 1;
      if (isOverdue) {
        resolve({ seed, invariant: "I22 ends", text: `not within ${SEED_MS_MAX} ms` });
      } else if (code !== 0) {
        resolve({ seed, invariant: "crash", text: complaint });
      } else resolve(last);
    });
  });
}

const JEST = {
  testEnvironment: "node",
  transform: {},
  extensionsToTreatAsEsm: [".ts"],
};

/** On the broken sources, and not on those as they are. */
async function failsTest(workspace: Workspace, mutant: Mutant, path: string): Promise<boolean> {
  if (!(await passes(workspace, path))) throw new Error(`${path} fails without any bug`);
  workspace.apply(mutant);
  try {
    return !(await passes(workspace, path));
  } finally {
    workspace.restore();
  }
}

function passes(workspace: Workspace, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const jest = "node_modules/jest/bin/jest.js";
    const config = ["--config", JSON.stringify({ ...JEST, rootDir: workspace.folder })];
    const words = ["--experimental-vm-modules", jest, ...config, "-i", path];
    const child = spawn(process.execPath, words, { cwd: workspace.folder, stdio: "ignore" });
    child.on("error", reject);
    child.on("close", (code) => resolve(code === 0));
  });
}
