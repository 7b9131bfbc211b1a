// Example: a teller, a process of its own that charges an order under a lock, or is frozen at it.
//
// node teller.ts <quorumq|redis> <name> <bank file> <gateway's address> <Redis' URL>; started by
// main.ts, which it tells when it has read, and which tells it to go on.
//
//   take the lock ──▶ read: is it charged? ──▶ (main.ts freezes it here) ──▶ charge ──▶ let go

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { createClient } from "../../index.ts";
import { Bank, type Charge } from "./bank.ts";

interface Held {
  charge(bank: Bank, charge: Charge): "charged" | "refused";
  release(): Promise<unknown>;
}

/** Far below what it takes to freeze and wake a teller; a minute would do as well. */
const TTL_MS = 1_500;
const WAIT_MS = 30_000;

/** The usual lock: right as long as nobody is late. */
async function lockInRedis(key: string, url: string): Promise<Held> {
  const redis = new Redis(url);
  const owner = randomUUID();
  while ((await redis.set(key, owner, "PX", TTL_MS, "NX")) === null) await sleep(50);
  return {
    // There is no number that the bank could compare.
    charge: (bank, charge) => bank.charge(charge),
    async release() {
      const script = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`;
      await redis.eval(script, 1, key, owner);
      redis.disconnect();
    },
  };
}

async function lockInQuorumq(key: string, address: string): Promise<Held> {
  const client = createClient({ address });
  const lock = await client.locks.acquire(key, { ttlMs: TTL_MS, waitMs: WAIT_MS });
  return {
    // lock.signal would often tell in time that the lock is lost. Often is not always: a process
    // that has just woken up may write before it hears of anything.
    charge: (bank, charge) => bank.chargeFenced(charge, lock.fencingToken),
    async release() {
      await lock.release();
      client.close();
    },
  };
}

const [kind, teller = "", file = "", address = "", redisUrl = ""] = process.argv.slice(2);
const charge = { orderId: "order-1", accountId: "account-1", cents: 3_000, teller };
const bank = new Bank(file);
const key = `example:bank:${charge.accountId}`;
const held = await (kind === "redis" ? lockInRedis(key, redisUrl) : lockInQuorumq(key, address));
const isCharged = bank.isCharged(charge.orderId);
process.send?.("read");
await once(process, "message");
const outcome = isCharged ? "charged before" : held.charge(bank, charge);
await held.release();
bank.close();
process.send?.(outcome);
process.disconnect();
