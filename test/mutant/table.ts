// What came of a campaign against mutants, as the document docs/mutants.md.
//
// Guarantees: every mutant is a row, caught or not; what survived is listed once more with the
// reason, so that nobody has to look for it. Does not own: the verdicts (hunt.ts).

import type { Verdict } from "./hunt.ts";
import { type Mutant, seedsMaxOf } from "./mutant.ts";

export interface Row {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
}

export interface Campaign {
  readonly rows: readonly Row[];
  /** Seeds that the unbroken sources were run with, and held. */
  readonly controlSeeds: number;
}

export function tableOf({ rows, controlSeeds }: Campaign): string {
  const caught = rows.filter(({ verdict }) => verdict.kind === "caught");
  const seeds = caught.map(({ verdict }) => verdict.seeds).toSorted((one, other) => one - other);
  const median = seeds[Math.floor((seeds.length - 1) / 2)] ?? 0;
  const share = ((100 * caught.length) / Math.max(1, rows.length)).toFixed(1);
  const byCore = caught.filter(({ verdict }) => verdict.invariant?.startsWith("core "));
  return `# Planted bugs, and what catches them

Each row is one bug that a real system has had, or could have, put into the sources by a patch
([test/mutant](../test/mutant/)); then the simulator runs seeds 1, 2, 3 … over the broken sources
until an invariant is violated. What is not caught is below the table, with the reason.

\`\`\`sh
npm run --silent mutants -- --log verdicts.jsonl > docs/mutants.md   # --only NAME,NAME for some
\`\`\`

- ${rows.length} bugs, **${caught.length} caught (${share} %)**.
- Seeds needed: median ${median}, most ${seeds.at(-1) ?? 0}.
- ${byCore.length} of them are caught first by an assertion of the core itself ("core I8"), which is
  part of the product. Those are run once more with its assertions switched off: what notices then
  comes behind "else". The rest is caught by the simulator's observer, by clients, or because the
  healed cluster does not come back to life (I22).
- The sources as they are: seeds 1 to ${controlSeeds}, nothing violated.

| bug | lesson | what is wrong | caught by | seed |
| --- | --- | --- | --- | --- |
${rows.map(rowOf).join("\n")}
${survivorsOf(rows)}`;
}

function rowOf({ mutant, verdict }: Row): string {
  const { name, lesson, breaks } = mutant;
  const { kind, invariant, seeds, observer } = verdict;
  const by = {
    caught: invariant,
    unexpected: `${invariant} (unexpected)`,
    survived: "**nothing**",
    tested: `no seed; ${linkTo(mutant.test ?? "")}`,
  };
  const at = invariant === null ? `of ${seeds}` : `${seeds}`;
  return `| ${name} | ${lesson} | ${breaks} | ${by[kind]}${elseOf(observer)} | ${at} |`;
}

function linkTo(path: string): string {
  return `[${path}](../${path})`;
}

function elseOf(observer: Verdict["observer"]): string {
  if (observer === undefined) return "";
  const { invariant, seeds } = observer;
  return invariant === null
    ? `; else nothing in ${seeds} seeds`
    : `; else ${invariant}, seed ${seeds}`;
}

function survivorsOf(rows: readonly Row[]): string {
  const others = rows.filter(({ verdict }) => verdict.kind !== "caught");
  if (others.length === 0) return "\nNone survived.\n";
  const items = others.map(({ mutant, verdict }) => {
    const { kind, invariant, text } = verdict;
    const also = kind === "tested" ? ` ${linkTo(mutant.test ?? "")} fails on it.` : "";
    const fallback =
      invariant === null
        ? `not caught within ${seedsMaxOf(mutant)} seeds, for a reason that is not known`
        : `violated ${invariant}, which is not this bug's doing: ${text}`;
    return `- **${mutant.name}**: ${mutant.survives ?? fallback}.${also}`;
  });
  return `\n## What the simulator did not catch\n\n${items.join("\n")}\n`;
}
