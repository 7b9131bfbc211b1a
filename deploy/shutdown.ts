// When to stop: a signal, or the end of the process that started this one.
//
// Guarantees: the first SIGINT or SIGTERM asks for a drain, the second for an end at once. One
// press of Ctrl-C can reach a process several times (from the terminal, from npm, from the
// bootstrap), so what comes within the same moment counts as one. The loss of the parent's channel
// asks for a drain too: that is how a stack that was killed outright takes its processes along.

import { ExitCode } from "./exit-code.ts";

const SAME_PRESS_MS = 500;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface Shutdown {
  /** Resolves with the reason once a drain is asked for. */
  readonly requested: Promise<string>;
  isRequested(): boolean;
}

/** `endNow` is called at the second signal; it must not wait for anything. */
export function watchForShutdown(endNow: (code: number) => void): Shutdown {
  const { promise, resolve } = Promise.withResolvers<string>();
  let firstMs: number | null = null;
  const request = (reason: string): void => {
    firstMs ??= performance.now();
    resolve(reason);
  };
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (firstMs === null) request(signal);
      else if (performance.now() - firstMs > SAME_PRESS_MS) endNow(ExitCode.Interrupted);
    });
  }
  if (process.channel !== undefined) {
    process.on("disconnect", () => request("the parent process is gone"));
    // Listening for the channel's end must not keep a finished process alive.
    process.channel?.unref();
  }
  return { requested: promise, isRequested: () => firstMs !== null };
}
