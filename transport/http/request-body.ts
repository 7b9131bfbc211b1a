// The body of a request as text, within its bounds.
//
// Guarantees: no more than the limit is ever held; a body has to say that it is JSON, which also
// keeps forms of other sites' pages out; bytes that are not UTF-8 are the caller's fault.

import { HTTP_BODY_BYTES_MAX } from "../limit.ts";
import type { PipelineError } from "../pipeline-error.ts";
import { refusal } from "../reason.ts";
import type { HttpRequest } from "./exchange.ts";

/** "" if there is none. */
export async function bodyText({ body, headers }: HttpRequest): Promise<string> {
  if (Number(headers.get("content-length") ?? 0) > HTTP_BODY_BYTES_MAX) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > HTTP_BODY_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  if (bytes === 0) return "";
  requireJson(headers.get("content-type") ?? "");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw refusal("MALFORMED_REQUEST", "the body is not UTF-8", { cause });
  }
}

function requireJson(contentType: string): void {
  const [mediaType = ""] = contentType.split(";");
  if (mediaType.trim().toLowerCase() === "application/json") return;
  throw refusal(
    "UNSUPPORTED_MEDIA_TYPE",
    `the body is ${JSON.stringify(contentType.slice(0, 64))}; send content-type: application/json`,
    { metadata: { content_type: contentType.slice(0, 64) } },
  );
}

function tooLarge(): PipelineError {
  return refusal("MESSAGE_TOO_LARGE", `the body is over ${HTTP_BODY_BYTES_MAX} bytes`, {
    metadata: { limit: String(HTTP_BODY_BYTES_MAX) },
  });
}
