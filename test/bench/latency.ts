// How long one SayHello takes: a job through the whole pipeline and its result back to the caller.

import type { JobsConnection } from "../../transport/grpc/client.ts";
import { runClosedLoop } from "./closed-loop.ts";
import { closedLoopFigure, type Figure } from "./figure.ts";

export const IN_FLIGHT = [1, 64] as const;
const CALL_TIMEOUT_MS = 30_000;

export interface LatencyOptions {
  readonly greeter: JobsConnection["greeter"];
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export async function measureLatency(options: LatencyOptions): Promise<Figure[]> {
  const { greeter, warmUpMs, measureMs } = options;
  const figures: Figure[] = [];
  for (const inFlight of IN_FLIGHT) {
    const outcome = await runClosedLoop({
      inFlight,
      warmUpMs,
      measureMs,
      call: (number) => greeter.sayHello({ name: `n${number}` }, { timeoutMs: CALL_TIMEOUT_MS }),
    });
    figures.push(closedLoopFigure(`SayHello, ${inFlight} in flight`, outcome));
  }
  return figures;
}
