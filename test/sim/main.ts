// `npm run sim`: runs seeds, says what happened, and fails if anything was violated.
//
// Guarantees: exit code 0 only if every seed held (2: the words were not understood). A failing
// seed is told with its invariant, the end of its trace, the command that replays it, and a smaller
// case. Progress goes to stderr, the summary to stdout.
// Does not own: the runs (run.ts) nor the threads (campaign/pool.ts).

import { type Args, commandOf, readArgs, USAGE } from "./campaign/args.ts";
import type { Failure } from "./campaign/job.ts";
import { runCampaign } from "./campaign/pool.ts";
import { shrink } from "./campaign/shrink.ts";
import { summaryOf } from "./campaign/summary.ts";
import { runSeed } from "./run.ts";
import { drawOptions, type Overrides } from "./swarm.ts";

const TAIL_LINES = 30;
const LINE_LENGTH_MAX = 400;
/** The others fail alike, or can be run by themselves. */
const EXPLAINED_MAX = 2;

process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  const args = readArgs(words);
  if (typeof args === "string") {
    process.stderr.write(`${args}\n${USAGE}`);
    return 2;
  }
  if (args.isTraced) return trace(args);
  const said = (text: string): void => {
    process.stderr.write(`${text}\n`);
  };
  const campaign = await runCampaign(args, said);
  const { failures } = campaign;
  for (const failure of failures.slice(0, EXPLAINED_MAX)) explain(args, failure, said);
  if (args.isJson) {
    const { tally, ...rest } = campaign;
    process.stdout.write(`${JSON.stringify({ ...rest, counts: tally.counts }, null, 2)}\n`);
  } else {
    process.stdout.write(summaryOf(campaign, args.jobs));
  }
  for (const { seed, invariant } of failures) said(`FAILED seed ${seed}: ${invariant}`);
  return failures.length === 0 ? 0 : 1;
}

function trace(args: Args): number {
  const sink = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  const { violation, digest } = runSeed(drawOptions(args.from, args.overrides), {
    sink,
  });
  sink(`digest ${digest}`);
  return violation === null ? 0 : 1;
}

function explain(args: Args, failure: Failure, said: (text: string) => void): void {
  const { seed, invariant, text } = failure;
  said(`\nseed ${seed} violates ${invariant}\n${text}\n`);
  if (invariant === "determinism") return;
  const { overrides } = args.isShrunk
    ? shrink(seed, args.overrides, invariant)
    : { overrides: args.overrides };
  for (const line of tailOf(seed, overrides)) said(line);
  said(`\nreplay:  ${commandOf(seed, args.overrides)}`);
  if (args.isShrunk) said(`smaller: ${commandOf(seed, overrides)}\n`);
}

function tailOf(seed: number, overrides: Overrides): readonly string[] {
  const lines: string[] = [];
  const sink = (line: string): void => {
    lines.push(line.slice(0, LINE_LENGTH_MAX));
    if (lines.length > 2 * TAIL_LINES) lines.splice(0, TAIL_LINES);
  };
  runSeed(drawOptions(seed, overrides), { sink });
  return lines.slice(-TAIL_LINES);
}
