// The body of a request as text, within its bounds.
//
// Guarantees: no more than the limit is ever held, and no longer than the call has time or its
// caller stays; a body has to say that it is JSON, which also keeps forms of other sites' pages
// out; bytes that are not UTF-8, or said to be something else, or compressed, are refused.

import type { Call } from "../grpc/call.ts";
import { HTTP_BODY_BYTES_MAX } from "../limit.ts";
import type { PipelineError } from "../pipeline-error.ts";
import { refusal } from "../reason.ts";
import type { HttpRequest } from "./exchange.ts";

/** The part of a call that a body waits by. */
type BodyCall = Pick<Call, "signal" | "remainingMs">;

/** Of a stream that has no deadline of its own, whose body is empty. */
const BODY_MS_MAX = 60_000;

/** "" if there is none. */
export async function bodyText({ body, headers }: HttpRequest, call: BodyCall): Promise<string> {
  if (Number(headers.get("content-length") ?? 0) > HTTP_BODY_BYTES_MAX) throw tooLarge();
  const bytes = await inTime(bytesOf(body), call);
  if (bytes.byteLength === 0) return "";
  requireJson(headers.get("content-type") ?? "");
  requirePlain(headers.get("content-encoding") ?? "");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw refusal("MALFORMED_REQUEST", "the body is not UTF-8", { cause });
  }
}

async function bytesOf(body: HttpRequest["body"]): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > HTTP_BODY_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A body that trickles in ends with the call's time, and with whoever sends it. */
async function inTime<T>(reading: Promise<T>, call: BodyCall): Promise<T> {
  const { promise: over, reject } = Promise.withResolvers<never>();
  const late = (): void => reject(bodyLate());
  const gone = (): void => reject(call.signal.reason);
  const ms = Math.min(call.remainingMs(), BODY_MS_MAX);
  const timer = setTimeout(late, ms);
  call.signal.addEventListener("abort", gone, { once: true });
  if (call.signal.aborted) gone();
  try {
    return await Promise.race([reading, over]);
  } finally {
    clearTimeout(timer);
    call.signal.removeEventListener("abort", gone);
    // What is still to come, or fails when the connection is closed, concerns nobody any more.
    reading.catch(() => undefined);
  }
}

function bodyLate(): PipelineError {
  const message = "the body had not arrived when the call's time was over: nothing was done";
  return refusal("DEADLINE_EXPIRED", message);
}

function requirePlain(encoding: string): void {
  if (encoding === "" || encoding.toLowerCase() === "identity") return;
  const given = encoding.slice(0, 64);
  const message = `the body is in ${JSON.stringify(given)}; send it without content-encoding`;
  throw refusal("UNSUPPORTED_MEDIA_TYPE", message, { metadata: { content_encoding: given } });
}

function requireJson(contentType: string): void {
  const [mediaType = "", ...parameters] = contentType.split(";");
  const isUtf8 = parameters.every((parameter) => {
    const charset = /^\s*charset\s*=\s*"?([^"\s]*)"?\s*$/i.exec(parameter)?.[1];
    return charset === undefined || /^utf-?8$/i.test(charset);
  });
  if (mediaType.trim().toLowerCase() === "application/json" && isUtf8) return;
  const given = contentType.slice(0, 64);
  const message = `the body is ${JSON.stringify(given)}; it has to be application/json (UTF-8)`;
  throw refusal("UNSUPPORTED_MEDIA_TYPE", message, { metadata: { content_type: given } });
}

function tooLarge(): PipelineError {
  return refusal("MESSAGE_TOO_LARGE", `the body is over ${HTTP_BODY_BYTES_MAX} bytes`, {
    metadata: { limit: String(HTTP_BODY_BYTES_MAX) },
  });
}
