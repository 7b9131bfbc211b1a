// Node's HTTP objects to ours and back: one request in, one answer out.
//
// Guarantees: every request gets an answer, whatever is thrown; texts of a stream are written no
// faster than the caller reads, and the stream is left when the caller has gone. While the server
// drains, each answer closes its connection.
// Does not own: what is answered (server.ts).

import { once } from "node:events";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { PipelineError } from "../pipeline-error.ts";
import { refusal } from "../reason.ts";
import type { ServerLife } from "../served-call.ts";
import { errorAnswer } from "./error-answer.ts";
import type { HeadersIn, HttpAnswer, HttpRequest } from "./exchange.ts";

/** Answers hold jobs of others, and are JSON whatever a browser makes of their content. */
const ALWAYS = { "cache-control": "no-store", "x-content-type-options": "nosniff" } as const;
/** The rest of a body that is too large, or too slow, is not waited for. */
const TOO_LARGE = 413;
const TOO_LATE = 504;

export function listener(
  answerTo: (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>,
  life: ServerLife,
): RequestListener {
  const answered = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let answer: HttpAnswer;
    try {
      answer = await answerTo(requestOf(request, response));
    } catch (thrown) {
      const error = PipelineError.from(thrown);
      if (error.reason === "INTERNAL") life.logger.error({ err: thrown }, "a request failed");
      answer = errorAnswer(error);
    }
    const isLast = life.draining.aborted || isBodyLeft(request, answer);
    await write(response, answer, isLast ? { ...ALWAYS, connection: "close" } : ALWAYS);
  };
  return (request, response) => {
    // What fails here is the connection: the caller has gone, as `close` tells whom it concerns.
    answered(request, response).catch(() => response.destroy());
  };
}

function isBodyLeft({ complete }: IncomingMessage, { status }: HttpAnswer): boolean {
  return status === TOO_LARGE || (status === TOO_LATE && !complete);
}

function requestOf(request: IncomingMessage, response: ServerResponse): HttpRequest {
  const { method = "GET", url = "/" } = request;
  // An address may be anything: only what is behind the host is of interest.
  const address = URL.parse(url, "http://localhost");
  if (address === null) throw refusal("PATH_UNKNOWN", "the address cannot be read");
  return {
    verb: method,
    path: address.pathname,
    query: address.searchParams,
    headers: headersOf(request),
    // Leaving it early must not take the connection away, which the answer needs.
    body: request.iterator({ destroyOnReturn: false }),
    onGone: (gone) => {
      // The connection is closed after an answer, too, which then has been written.
      response.once("close", () => {
        if (!response.writableFinished) gone();
      });
    },
  };
}

/** Node's own, and not a Headers: making one takes longer than all the rest of a request. */
function headersOf({ headers }: IncomingMessage): HeadersIn {
  return {
    get: (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(", ") : (value ?? null);
    },
  };
}

async function write(
  response: ServerResponse,
  { status, headers, body }: HttpAnswer,
  always: Readonly<Record<string, string>>,
): Promise<void> {
  const isWhole = typeof body === "string";
  const length = isWhole && status !== 204 ? { "content-length": Buffer.byteLength(body) } : {};
  response.writeHead(status, { ...always, ...length, ...headers });
  if (isWhole) {
    response.end(body);
    return;
  }
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  for await (const text of body) {
    if (gone.signal.aborted) break;
    if (!response.write(text)) await once(response, "drain", { signal: gone.signal });
  }
  response.end();
}
