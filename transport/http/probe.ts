// /livez and /readyz, as Kubernetes has them.
//
// Guarantees: alive means that the event loop turns, and nothing else: who leads, or whether the
// brokers are there, is no reason to be started again. Ready names each check with ?verbose.

import type { HttpAnswer } from "./exchange.ts";

export interface Check {
  readonly name: string;
  /** null: it is well. */
  readonly problem: string | null;
}

const PLAIN = { "content-type": "text/plain; charset=utf-8" };

export function livez(): HttpAnswer {
  return { status: 200, headers: PLAIN, body: "ok\n" };
}

export function readyz(checks: readonly Check[], isVerbose: boolean): HttpAnswer {
  const isReady = checks.every(({ problem }) => problem === null);
  const lines = checks.map(({ name, problem }) =>
    problem === null ? `[+]${name} ok` : `[-]${name} failed: ${problem}`,
  );
  const verdict = isReady ? "ready" : "not ready";
  const text = isVerbose || !isReady ? [...lines, verdict].join("\n") : "ok";
  return { status: isReady ? 200 : 503, headers: PLAIN, body: `${text}\n` };
}
