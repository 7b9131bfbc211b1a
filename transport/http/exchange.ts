// A request and its answer over HTTP, without Node's own objects: what the API works with.

/** By names in lower case. */
export interface HeadersIn {
  /** null: it is not there. */
  get(name: string): string | null;
}

export interface HttpRequest {
  readonly verb: string;
  /** As it was sent, not decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: HeadersIn;
  readonly body: AsyncIterable<Uint8Array>;
  /** Called when the caller has gone before the answer was sent. */
  onGone(listener: () => void): void;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Texts that come one after the other are sent as they come, no faster than the caller reads. */
  readonly body: string | AsyncIterable<string>;
}

export function jsonAnswer(
  text: string,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  return { status, headers: { "content-type": "application/json", ...headers }, body: text };
}
