// `quorumq console`: the HTTP entry as a process. It keeps nothing, so any number may run.
//
// Guarantees: listens before it is ready for calls, and says at /readyz when it is; a drain ends
// calls first and leaves the quorum last.

import { openQuorum } from "../transport/amqp/amqp-quorum.ts";
import { createLogger } from "../transport/telemetry/logger.ts";
import { createConsole } from "../workers/console.ts";
import type { ExitCode } from "./exit-code.ts";
import { type ListenPlace, listening, requireListenable } from "./listen-check.ts";
import { serve } from "./process-life.ts";
import type { Config } from "./settings.ts";

export function runConsole(config: Config): Promise<ExitCode> {
  const { consoleId: id, amqpUrl, cluster } = config;
  const logger = createLogger({ component: "console", id, level: config.logLevel });
  return serve({
    role: "console",
    id,
    logger,
    graceMs: config.shutdownGraceMs,
    healthFile: config.healthFile,
    start: async () => {
      const { consoleHost: host, consolePort: port } = config;
      const place: ListenPlace = { host, port, settings: ["consolePort", "consoleHost"] };
      await requireListenable(place);
      const quorum = await openQuorum({
        url: amqpUrl,
        cluster,
        clientId: id,
        role: "gateway",
        logger,
        follow: { hasLocks: true },
      });
      const console = await listening(place, () => createConsole({ quorum, host, port, logger }));
      return {
        ports: { http: console.port },
        failed: new Promise(() => undefined),
        drain: async (graceMs) => {
          await console.close(graceMs);
          await quorum.close();
        },
      };
    },
  });
}
