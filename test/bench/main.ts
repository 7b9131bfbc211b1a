// `npm run bench`: latency, throughput and failover of the whole stack, and bare BullMQ beside it.
//
//   npm run bench -- --only failover --kills 200 --nodes 5
//   npm run bench -- --only snapshot --mebibytes 100 --entries 1000000
//   npm run bench -- --only million --jobs 1000000
//   npm run bench -- --only limits
//   npm run bench -- --only recovery --kills 10 --lease-seconds 10
//   npm run bench -- --only latency --only throughput --seconds 20 --json figures.json
//
// About three minutes by default. Exit code 0 whatever the figures are; it fails only when it
// cannot measure.

import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { runBench, SECTIONS, type Section, USUAL_SECTIONS } from "./bench.ts";
import { linesOf } from "./table.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "8" },
    kills: { type: "string", default: "20" },
    "lease-seconds": { type: "string", default: "10" },
    nodes: { type: "string", default: "3" },
    mebibytes: { type: "string", default: "100" },
    entries: { type: "string", default: "1000000" },
    jobs: { type: "string", default: "1000000" },
    concurrency: { type: "string", default: "50" },
    /** A section of bench.ts; may be given more than once. */
    only: { type: "string", multiple: true, default: [...USUAL_SECTIONS] },
    /** Also write the report here. */
    json: { type: "string" },
    /** Write a .cpuprofile of each process of the stack into this folder. */
    profile: { type: "string" },
  },
});

type NumberName =
  | ("seconds" | "kills" | "nodes" | "mebibytes" | "entries" | "jobs" | "concurrency")
  | "lease-seconds";

function positive(name: NumberName, most = 1_000): number {
  const value = Number(values[name]);
  if (!(value > 0 && value <= most)) throw new RangeError(`--${name} is a number up to ${most}`);
  return value;
}

function sectionOf(word: string): Section {
  const section = SECTIONS.find((candidate) => candidate === word);
  if (section === undefined) throw new RangeError(`--only is one of ${SECTIONS.join(", ")}`);
  return section;
}

const report = await runBench({
  sections: values.only.map(sectionOf),
  seconds: positive("seconds"),
  kills: positive("kills"),
  leaseMs: positive("lease-seconds", 600) * 1_000,
  nodes: positive("nodes", 9),
  mebibytes: positive("mebibytes"),
  entries: positive("entries", 10_000_000),
  jobs: positive("jobs", 10_000_000),
  concurrency: positive("concurrency"),
  profileDir: values.profile === undefined ? null : resolve(values.profile),
  report: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(`${linesOf(report).join("\n")}\n`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
