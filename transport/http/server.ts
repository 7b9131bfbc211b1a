// The HTTP server: the API, its OpenAPI document, and what a probe asks.
//
// Guarantees: every bound that matters is written out. `drain` takes no new connections, sends away
// at once who waits for something that may take long, lets the other calls end, and closes what is
// open after its time. Pages of other sites are kept out (origin.ts).
// Does not own: what the methods do (the handlers given), nor what ready means.

import { createServer, type Server as NodeServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { HTTP_CONNECTIONS_MAX } from "../limit.ts";
import { refusal } from "../reason.ts";
import { allEnded, type ServedCall, type ServerLife } from "../served-call.ts";
import type { Logger } from "../telemetry/logger.ts";
import { HttpApi, type HttpService } from "./api.ts";
import { type HttpAnswer, type HttpRequest, jsonAnswer } from "./exchange.ts";
import { listener } from "./listener.ts";
import { openApiText } from "./openapi.ts";
import { requireOwnOrigin } from "./origin.ts";
import { type Check, livez, readyz } from "./probe.ts";

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly services: readonly HttpService[];
  /** Asked at each probe: what has to be well for this server to be of use. */
  readonly checks: () => readonly Check[];
  readonly logger: Logger;
}

export interface HttpServer {
  readonly port: number;
  /** Calls without an answer yet. */
  openCalls(): number;
  /** Ends the server, at the latest after this time and a moment. */
  drain(timeoutMs: number): Promise<void>;
}

/** For the last answers to leave after the calls have been ended. */
const LAST_WORDS_MS = 200;
/** A request's headers, and all of it, have to arrive within these. */
const TIMEOUTS = { headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 30_000 };

type Answers = (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>;

export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const drained = new AbortController();
  const open = new Set<ServedCall>();
  const life: ServerLife = { logger: options.logger, open, draining: drained.signal };
  const server = createServer(TIMEOUTS, listener(answersOf(options, life), life));
  server.maxConnections = HTTP_CONNECTIONS_MAX;
  const port = await listen(server, options);
  return {
    port,
    openCalls: () => open.size,
    drain: async (timeoutMs) => {
      drained.abort(refusal("SHUTTING_DOWN", "the server shuts down; another one answers"));
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await Promise.race([closed, allEnded(open, timeoutMs)]);
      for (const call of open) {
        call.abort(refusal("SHUTTING_DOWN", `the server shut down during ${call.method}`));
      }
      await Promise.race([closed, delay(LAST_WORDS_MS)]);
      server.closeAllConnections();
    },
  };
}

function answersOf(options: HttpServerOptions, life: ServerLife): Answers {
  const { host, services, checks } = options;
  const api = new HttpApi(services, life);
  const document = openApiText();
  const pages: Readonly<Record<string, Answers>> = {
    "/livez": livez,
    "/readyz": ({ query }) => {
      const problem = life.draining.aborted ? "it drains" : null;
      return readyz([...checks(), { name: "accepting", problem }], query.has("verbose"));
    },
    "/openapi.json": () => jsonAnswer(document),
  };
  return (request) => {
    requireOwnOrigin(request.headers, host, request.verb);
    const page =
      request.verb === "GET" || request.verb === "HEAD" ? pages[request.path] : undefined;
    return page === undefined ? api.answer(request) : page(request);
  };
}

function listen(server: NodeServer, { host, port }: HttpServerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      // A port was asked for, so it is no pipe's path.
      resolve((server.address() as AddressInfo).port);
    });
  });
}
