// Reads server-sent events one by one, as a browser's EventSource does, but for reconnecting.

export interface ReadEvent {
  readonly name: string;
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface EventReader {
  readonly status: number;
  /** null: the stream has ended. Comments are passed over. */
  next(): Promise<ReadEvent | null>;
  leave(): Promise<void>;
}

export async function openEvents(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<EventReader> {
  const leaving = new AbortController();
  const response = await fetch(url, { headers, signal: leaving.signal });
  const blocks = response.ok && response.body !== null ? blocksOf(response.body) : none();
  return {
    status: response.status,
    next: async () => {
      for (;;) {
        const { done, value } = await blocks.next();
        if (done === true) return null;
        const event = eventOf(value);
        if (event !== null) return event;
      }
    },
    leave: async () => {
      leaving.abort();
      // The abort ends the read that may be under way.
      await blocks.return(undefined).catch(() => undefined);
    },
  };
}

async function* none(): AsyncGenerator<string, undefined> {}

async function* blocksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    yield* blocks;
  }
}

/** null: a comment, or the time to reconnect. */
function eventOf(block: string): ReadEvent | null {
  const fields = new Map(
    block.split("\n").map((line) => {
      const at = line.indexOf(": ");
      return [line.slice(0, at), line.slice(at + 2)] as const;
    }),
  );
  const data = fields.get("data");
  if (data === undefined) return null;
  const parsed = JSON.parse(data) as ReadEvent["data"];
  return { name: fields.get("event") ?? "", id: fields.get("id") ?? "", data: parsed };
}
