// The kinds that workers have told they can run.
//
// Guarantees: a kind stays known when its last worker is gone; each (kind, queue) pair that was
// ever registered stays good; the latest registration of a kind gives its defaults.
// Does not own: whether a worker is there now (workers/).

import { normalBackoff } from "./backoff.ts";
import type { Kind } from "./command.ts";
import { normalKey } from "./concurrency-keys.ts";
import { wholeMs } from "./milliseconds.ts";
import { knowQueue } from "./queue.ts";
import type { Ledger } from "./state.ts";

export function registerKinds(ledger: Ledger, kinds: readonly Kind[]): void {
  for (const kind of kinds) {
    const latest: Kind = {
      kind: kind.kind,
      queue: kind.queue,
      maxAttempts: Math.max(1, wholeMs(kind.maxAttempts)),
      backoff: normalBackoff(kind.backoff),
      attemptTimeoutMs: wholeMs(kind.attemptTimeoutMs),
      totalTimeoutMs: wholeMs(kind.totalTimeoutMs),
      lockTemplates: [...kind.lockTemplates],
      concurrencyTemplates: kind.concurrencyTemplates.map(normalKey),
    };
    knowQueue(ledger, kind.queue);
    const registered = ledger.kinds.get(kind.kind);
    if (registered === undefined) {
      ledger.kinds.set(kind.kind, { latest, queues: new Set([kind.queue]) });
    } else {
      registered.latest = latest;
      registered.queues.add(kind.queue);
    }
  }
}

export type Resolved =
  | { readonly kind: "resolved"; readonly defaults: Kind; readonly queue: string }
  | { readonly kind: "unknown-kind" }
  | { readonly kind: "unknown-queue" };

export function resolveKind(ledger: Ledger, kind: string, queue: string): Resolved {
  const registered = ledger.kinds.get(kind);
  if (registered === undefined) return { kind: "unknown-kind" };
  if (queue === "") {
    return { kind: "resolved", defaults: registered.latest, queue: registered.latest.queue };
  }
  if (!registered.queues.has(queue)) return { kind: "unknown-queue" };
  return { kind: "resolved", defaults: registered.latest, queue };
}
