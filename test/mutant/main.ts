// `npm run mutants`: plants each bug, lets the simulator look for it, and writes the table.
//
//   npm run mutants -- [--only NAME,NAME] [--seeds N] [--jobs J] [--json] [--no-control] [--keep]
//                      [--log FILE]     verdicts are kept there: a run that was ended goes on
//
// Guarantees: the sources as they are run over the same seeds first, and must hold, or nothing that
// follows would mean anything. Exit code 0 only if every mutant was caught by what it names, or is
// published as a survivor. Progress goes to stderr, the table to stdout.
// Does not own: a single hunt (hunt.ts).

import { parseArgs } from "node:util";
import { hunt, runSeeds, type Verdict } from "./hunt.ts";
import { type Mutant, seedsMaxOf } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";
import { type Row, tableOf } from "./table.ts";
import { VerdictLog } from "./verdict-log.ts";
import { Workspace } from "./workspace.ts";

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      seeds: { type: "string", default: "2000" },
      jobs: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      "no-control": { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      log: { type: "string" },
    },
  });
  const chosen = choose(values.only);
  if (typeof chosen === "string") {
    say(chosen);
    return 2;
  }
  if (values.keep) return keep(chosen);
  const cap = Number(values.seeds);
  const controlSeeds = values["no-control"] ? 0 : Math.min(cap, mostSeeds(chosen));
  if (controlSeeds > 0 && !(await isSound(controlSeeds))) return 1;
  const log = new VerdictLog(values.log ?? null);
  const rows = await huntAll(chosen, cap, Number(values.jobs), log);
  process.stdout.write(values.json ? jsonOf(rows) : tableOf({ rows, controlSeeds }));
  return rows.every(isAccounted) ? 0 : 1;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A text: what is wrong. */
function choose(only: string | undefined): readonly Mutant[] | string {
  if (only === undefined) return MUTANTS;
  const names = only.split(",");
  const unknown = names.find((name) => !MUTANTS.some((mutant) => mutant.name === name));
  if (unknown !== undefined) return `no mutant is called ${unknown}`;
  return MUTANTS.filter(({ name }) => names.includes(name));
}

function mostSeeds(mutants: readonly Mutant[]): number {
  return Math.max(...mutants.map(seedsMaxOf));
}

function isAccounted({ mutant, verdict }: Row): boolean {
  const isPublished = verdict.kind === "survived" && mutant.survives !== undefined;
  return verdict.kind === "caught" || verdict.kind === "tested" || isPublished;
}

/** The broken sources stay where they are, to be looked at and traced. */
function keep(mutants: readonly Mutant[]): number {
  for (const mutant of mutants) {
    const workspace = new Workspace();
    workspace.apply(mutant);
    say(`${mutant.name} is in ${workspace.folder}: there, node test/sim/main.ts --seed N --trace`);
  }
  return 0;
}

async function isSound(seeds: number): Promise<boolean> {
  const workspace = new Workspace();
  try {
    const told = (seed: number): void => {
      if (seed % 100 === 0) say(`as it is: ${seed} of ${seeds} seeds hold`);
    };
    const { invariant, text, seed } = await runSeeds(workspace, 1, seeds, told);
    if (invariant === null) return true;
    say(`as it is, seed ${seed} violates ${invariant}, so that nothing follows:\n${text}`);
    return false;
  } finally {
    workspace.remove();
  }
}

async function huntAll(
  mutants: readonly Mutant[],
  cap: number,
  jobs: number,
  log: VerdictLog,
): Promise<Row[]> {
  const verdicts = new Map<Mutant, Verdict>();
  const waiting = [...mutants];
  const work = async (): Promise<void> => {
    const workspace = new Workspace();
    try {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        const known = log.verdictOn(mutant);
        const verdict = known ?? (await hunt(workspace, mutant, cap));
        verdicts.set(mutant, verdict);
        if (known === null) log.add(mutant, verdict);
        const { kind, invariant, seeds, text } = verdict;
        const words = kind === "caught" ? "" : ` ${text.slice(0, 300)}`;
        say(`${kind} ${mutant.name}: ${invariant ?? "nothing"}, seed ${seeds}${words}`);
      }
    } finally {
      workspace.remove();
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return mutants.flatMap((mutant) => {
    const verdict = verdicts.get(mutant);
    return verdict === undefined ? [] : [{ mutant, verdict }];
  });
}

function jsonOf(rows: readonly Row[]): string {
  const plain = rows.map(({ mutant: { name, lesson, breaks }, verdict }) => {
    return { name, lesson, breaks, ...verdict };
  });
  return `${JSON.stringify(plain, null, 2)}\n`;
}
