// Example: a bank charged twice under a Redis lock, and once under a fenced one.
//
// Run it beside a stack (`npm start`):   npx node workers/examples/fenced/main.ts
//
// Ada takes the lock for an account, sees that the order is not charged yet, and is frozen
// (SIGSTOP), as a garbage collection, a laptop's lid or a busy host would. Her lock runs out. Bob
// takes it, sees the same, and charges the order. Then Ada wakes up and goes on where she was.
//
// With `SET NX PX` both have charged the customer: no lock that can run out prevents it. With
// quorumq's fencing token the bank refuses Ada, since Bob's token is higher (bank.ts).

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Bank } from "./bank.ts";

export interface Places {
  /** Of a gateway. */
  readonly address: string;
  readonly redisUrl: string;
}

export interface Story {
  readonly ada: string;
  readonly bob: string;
  readonly balanceCents: number;
  /** Who charged the order. */
  readonly charges: readonly string[];
}

const BALANCE_CENTS = 10_000;
const TELLER = new URL("./teller.ts", import.meta.url).pathname;

export async function tellStory(lock: "quorumq" | "redis", places: Places): Promise<Story> {
  const folder = mkdtempSync(join(tmpdir(), "quorumq-bank-"));
  const file = join(folder, "bank.sqlite");
  const bank = new Bank(file);
  bank.open("account-1", BALANCE_CENTS);
  const tellers: ChildProcess[] = [];
  const employ = (name: string): ChildProcess => {
    const words = [lock, name, file, places.address, places.redisUrl];
    const teller = fork(TELLER, words, { execArgv: ["--disable-warning=ExperimentalWarning"] });
    tellers.push(teller);
    return teller;
  };
  try {
    const ada = employ("ada");
    await told(ada);
    ada.kill("SIGSTOP");
    const bob = employ("bob");
    await told(bob);
    const bobs = await goOn(bob);
    ada.kill("SIGCONT");
    const adas = await goOn(ada);
    return { ada: adas, bob: bobs, ...bank.statement("account-1") };
  } finally {
    for (const teller of tellers) teller.kill("SIGKILL");
    bank.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function goOn(teller: ChildProcess): Promise<string> {
  const outcome = told(teller);
  teller.send("go on");
  return outcome;
}

/** The next thing that it says; a teller that ends instead is an error. */
async function told(teller: ChildProcess): Promise<string> {
  const ended = once(teller, "exit").then(([code]) => {
    throw new Error(`a teller ended with ${code}: do a gateway and a Redis run there?`);
  });
  const [message] = await Promise.race([once(teller, "message"), ended]);
  return String(message);
}

if (import.meta.main) {
  const places = {
    address: process.env["QUORUMQ_ADDRESS"] ?? "127.0.0.1:50051",
    redisUrl: process.env["QUORUMQ_REDIS_URL"] ?? "redis://127.0.0.1:6379",
  };
  for (const lock of ["redis", "quorumq"] as const) {
    const { ada, bob, balanceCents, charges } = await tellStory(lock, places);
    const name = lock === "redis" ? "a lock by SET NX PX" : "a lock with a fencing token";
    const money = [BALANCE_CENTS, balanceCents].map((cents) => (cents / 100).toFixed(2));
    process.stdout.write(
      `${name}: Bob ${bob}, Ada, woken, ${ada}. One order of 30.00, charged by ` +
        `${charges.join(" and ")}: ${money.join(" became ")}\n`,
    );
  }
}
