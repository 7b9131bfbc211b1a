// A campaign's figures as a table for people.
//
// Guarantees: every counter is shown; kinds of faults and rare events that never came about are
// named. Does not own: counting (tally.ts).

import { FAULT_KINDS } from "../fault-kind.ts";
import type { Counts } from "../tally.ts";
import type { Campaign } from "./pool.ts";

const WIDTH = 46;

export function summaryOf(campaign: Campaign, jobs: number): string {
  const { seedCount, virtualMs, realMs, cpuMs, eventCount, tally, failures } = campaign;
  const { counts } = tally;
  const totals: Counts = {
    seeds: seedCount,
    "failed seeds": new Set(failures.map(({ seed }) => seed)).size,
    "simulated hours": round(virtualMs / 3_600_000),
    "real seconds": round(realMs / 1000),
    "times real time": Math.round(virtualMs / realMs),
    threads: jobs,
    "times real time, a core": Math.round(virtualMs / cpuMs),
    "events handled": eventCount,
  };
  const faults = Object.fromEntries(
    FAULT_KINDS.map((kind) => [kind, counts[`fault.${kind}`] ?? 0] as const),
  );
  const never = Object.entries(faults).filter(([, count]) => count === 0);
  const sections = [
    section("campaign", totals),
    section("runs", under(counts, "runs.")),
    section("what happened", under(counts, "count.")),
    section(`faults (${FAULT_KINDS.length - never.length} of ${FAULT_KINDS.length} kinds)`, faults),
    section("other causes", otherFaults(counts)),
    section("sometimes", under(counts, "sometimes.")),
    section("longest", under(counts, "most.")),
    section("network, disk, clients", {
      ...prefixed(counts, "network."),
      ...prefixed(counts, "disk."),
      ...prefixed(counts, "clients."),
    }),
  ];
  return `${sections.join("\n")}\n`;
}

function otherFaults(counts: Counts): Counts {
  const known: readonly string[] = FAULT_KINDS;
  const others = Object.entries(under(counts, "fault.")).filter(([name]) => !known.includes(name));
  return Object.fromEntries(others);
}

function under(counts: Counts, prefix: string): Counts {
  const found = Object.entries(prefixed(counts, prefix));
  return Object.fromEntries(found.map(([name, count]) => [name.slice(prefix.length), count]));
}

function prefixed(counts: Counts, prefix: string): Counts {
  const found = Object.entries(counts).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(found.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

function section(title: string, counts: Counts): string {
  const rows = Object.entries(counts).map(
    ([name, count]) => `  ${name.padEnd(WIDTH)}${count.toLocaleString("en").padStart(14)}`,
  );
  return [title, ...rows].join("\n");
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
