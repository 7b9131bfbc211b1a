// A process with a bug that nobody catches, for process-life.test.ts: it throws in a later turn of
// the event loop, or forgets a rejection.

import { serve } from "../../../deploy/process-life.ts";
import { createLogger } from "../../../transport/telemetry/logger.ts";

const bug = new Error("a bug of ours");

await serve({
  role: "node",
  id: "n1",
  logger: createLogger({ component: "node", id: "n1", level: "info" }),
  graceMs: 1_000,
  healthFile: null,
  start: () => {
    setImmediate(() => {
      if (process.argv[2] === "throw") throw bug;
      void Promise.reject(bug);
    });
    const failed = Promise.withResolvers<Error>().promise;
    return Promise.resolve({ ports: {}, failed, drain: () => Promise.resolve() });
  },
});
