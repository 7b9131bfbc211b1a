// A console on a free port over a quorum of one, and what its callers need: the HTTP edge without
// the rest. Every answer in JSON is held to the OpenAPI document.

import { silentLogger } from "../../transport/telemetry/logger.ts";
import { type Console, createConsole } from "../../workers/console.ts";
import { checkAnswer } from "./openapi-check.ts";
import { SoloQuorum } from "./solo-quorum.ts";
import { atEnd } from "./teardown.ts";

export interface HttpEdge {
  readonly quorum: SoloQuorum;
  readonly console: Console;
  readonly url: string;
  /** What does not fit the document, of all answers so far. */
  readonly offences: string[];
  call(
    verb: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body parsed, without a type: a test says what it expects of it. */
  readonly json: Json;
}

/** JSON of which any member may be asked for. */
export interface Json {
  readonly [name: string]: Json | undefined;
}

/** Closed after the file's last test. */
export async function startHttpEdge(quorum: SoloQuorum = new SoloQuorum()): Promise<HttpEdge> {
  const logger = silentLogger();
  const console = await createConsole({ quorum, host: "127.0.0.1", port: 0, logger });
  const url = `http://127.0.0.1:${console.port}`;
  const offences: string[] = [];
  atEnd(async () => {
    await console.close(1_000);
    await quorum.close();
  });
  return {
    quorum,
    console,
    url,
    offences,
    call: async (verb, path, body, headers = {}) => {
      const isText = typeof body === "string";
      const response = await fetch(`${url}${path}`, {
        method: verb,
        headers: {
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get("content-type") === "application/json";
      const json = isJson ? (JSON.parse(text) as Json) : {};
      if (isJson) offences.push(...checkAnswer(verb, path, response.status, json));
      return { status: response.status, headers: response.headers, text, json };
    },
  };
}
