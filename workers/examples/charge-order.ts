// Example: charge a customer's account for an order, one charge per account at a time.
//
// Run a worker:   npx quorumq worker workers/examples/charge-order.ts
// Submit a job:   npx quorumq submit charge-order \
//                   '{"orderId":"o-1","accountId":"a-1","amountCents":1999}' \
//                   --key order-o-1 --wait
//
// Shows: a lock per account, a flaky step that is retried, an error that is not, and the fencing
// token guarding what the handler writes. The two stores are in memory, so that the file runs
// alone; yours are a database and a payment provider.

import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { defineJob, NonRetryableError } from "../index.ts";

interface Account {
  balanceCents: number;
  /** The highest token that has written. */
  token: bigint;
  readonly charged: Set<string>;
}

const accounts = new Map<string, Account>();

/**
 * The store refuses writes with a lower token than it has seen: a worker that was frozen, and
 * wakes up after its job was given to another, changes nothing. In SQL, one statement:
 *   UPDATE account SET balance = balance - $amount, token = $token
 *   WHERE id = $id AND token <= $token
 */
function debit(accountId: string, orderId: string, amountCents: number, token: bigint): Account {
  const account = accounts.get(accountId) ?? { balanceCents: 0, token: 0n, charged: new Set() };
  accounts.set(accountId, account);
  if (token < account.token) throw new NonRetryableError("a newer attempt has written already");
  account.token = token;
  // A handler can run twice for one job: the order's own id makes the charge happen once.
  if (!account.charged.has(orderId)) account.balanceCents -= amountCents;
  account.charged.add(orderId);
  return account;
}

/** Fails every third call, as payment providers do. */
let calls = 0;
async function authorizePayment(orderId: string, signal: AbortSignal): Promise<string> {
  await sleep(20, undefined, { signal });
  calls += 1;
  if (calls % 3 === 0) throw new Error("the payment provider did not answer");
  return `auth-${orderId}`;
}

export const chargeOrder = defineJob({
  kind: "charge-order",
  queue: "payments",
  input: z.object({
    orderId: z.string().min(1),
    accountId: z.string().min(1),
    amountCents: z.int(),
  }),
  output: z.object({ authorization: z.string(), balanceCents: z.int() }),
  lock: "account:{accountId}",
  retry: { maxAttempts: 5, backoff: { initialMs: 200, multiplier: 2, maxMs: 10_000 } },
  timeoutMs: 30_000,
  async handler({ orderId, accountId, amountCents }, { signal, fencingToken, logger, progress }) {
    if (amountCents <= 0) {
      throw new NonRetryableError("an order costs something", { code: "AMOUNT_INVALID" });
    }
    const authorization = await authorizePayment(orderId, signal);
    progress("authorized");
    // The last moment to notice a cancel or a timeout; after it, the token still guards.
    signal.throwIfAborted();
    const { balanceCents } = debit(accountId, orderId, amountCents, fencingToken);
    logger.info({ order: orderId }, "charged");
    return { authorization, balanceCents };
  },
});
