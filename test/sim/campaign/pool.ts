// Many seeds over several threads.
//
// Guarantees: every seed of the range runs once, whatever the number of threads; the sum does not
// depend on who ran what. No new seeds are begun once the time is over or enough have failed.
// Does not own: what a seed does (job.ts).

import { Worker } from "node:worker_threads";
import { Tally } from "../tally.ts";
import type { Args } from "./args.ts";
import type { Done, Failure, Job } from "./job.ts";

export interface Campaign {
  seedCount: number;
  virtualMs: number;
  eventCount: number;
  realMs: number;
  /** Of all threads: what the figures would be on a machine of one's own. */
  cpuMs: number;
  readonly tally: Tally;
  readonly failures: Failure[];
}

const SEEDS_OF_A_JOB = 5;
/** Beyond, more failures say nothing new. */
const FAILURES_MAX = 20;

export async function runCampaign(args: Args, said: (text: string) => void): Promise<Campaign> {
  const campaign: Campaign = {
    seedCount: 0,
    virtualMs: 0,
    eventCount: 0,
    realMs: 0,
    cpuMs: 0,
    tally: new Tally(),
    failures: [],
  };
  const startedMs = performance.now();
  const endMs = startedMs + args.minutes * 60_000;
  let nextSeed = args.from;
  let saidMs = startedMs;
  const next = (): Job | null => {
    const isOver = performance.now() >= endMs || campaign.failures.length >= FAILURES_MAX;
    if (isOver || nextSeed > args.to) return null;
    const from = nextSeed;
    const to = Math.min(args.to, from + SEEDS_OF_A_JOB - 1);
    nextSeed = to + 1;
    const { overrides, isTwice } = args;
    return { from, to, overrides, isTwice };
  };
  const done = (result: Done): void => {
    add(campaign, result);
    for (const { seed, invariant } of result.failures) said(`seed ${seed} violates ${invariant}`);
    const nowMs = performance.now();
    campaign.realMs = nowMs - startedMs;
    if (nowMs - saidMs < 2_000) return;
    saidMs = nowMs;
    said(progressOf(campaign));
  };
  await Promise.all(Array.from({ length: args.jobs }, () => runThread(next, done)));
  campaign.realMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage();
  campaign.cpuMs = (user + system) / 1000;
  return campaign;
}

function runThread(next: () => Job | null, done: (result: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL("./worker.ts", import.meta.url));
    const give = (): void => {
      const job = next();
      if (job !== null) thread.postMessage(job);
      else void thread.terminate().then(() => resolve());
    };
    thread.on("message", (result: Done) => {
      done(result);
      give();
    });
    thread.on("error", reject);
    give();
  });
}

function add(
  campaign: Campaign,
  { seedCount, virtualMs, eventCount, counts, failures }: Done,
): void {
  campaign.seedCount += seedCount;
  campaign.virtualMs += virtualMs;
  campaign.eventCount += eventCount;
  campaign.tally.addAll(counts);
  campaign.failures.push(...failures);
}

function progressOf({ seedCount, virtualMs, realMs, failures }: Campaign): string {
  const hours = (virtualMs / 3_600_000).toFixed(2);
  const pace = (virtualMs / realMs).toFixed(0);
  return `${seedCount} seeds, ${hours} simulated hours, ${pace}x, ${failures.length} failed`;
}
