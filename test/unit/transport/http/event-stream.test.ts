// Server-sent events as text: what a browser reads, heartbeats, failures, and who leaves.

import { expect, test } from "@jest/globals";
import {
  type EventSourceParts,
  eventTexts,
  type ServerSentEvent,
} from "../../../../transport/http/event-stream.ts";

function event(id: number): ServerSentEvent {
  return { name: "job", id: String(id), data: `{"n":${id}}` };
}

/** What was told of the end: "ended", "left", or what failed. */
function parts(source: AsyncGenerator<ServerSentEvent>, heartbeatMs = 60_000) {
  const told: string[] = [];
  const given: EventSourceParts = {
    first: source.next(),
    rest: source,
    heartbeatMs,
    ended: () => told.push("ended"),
    left: () => told.push("left"),
    failed: (thrown) => {
      told.push(String(thrown));
      return '{"error":{}}';
    },
  };
  return { told, texts: eventTexts(given) };
}

async function rest(texts: AsyncGenerator<string>): Promise<string> {
  let text = "";
  for await (const piece of texts) text += piece;
  return text;
}

test("each answer is an event with its id, and the end is the end", async () => {
  async function* source() {
    yield event(3);
    yield event(7);
  }
  const { texts, told } = parts(source());
  expect(await rest(texts)).toBe(
    'retry: 1000\n\nevent: job\nid: 3\ndata: {"n":3}\n\nevent: job\nid: 7\ndata: {"n":7}\n\n',
  );
  expect(told).toEqual(["ended"]);
});

test("a silent source is made up for by comments, which tell nothing twice", async () => {
  const gate = Promise.withResolvers<void>();
  async function* source() {
    yield event(1);
    await gate.promise;
    yield event(2);
  }
  const { texts } = parts(source(), 1);
  const seen: string[] = [];
  for await (const text of texts) {
    seen.push(text);
    if (seen.filter((one) => one.startsWith(":")).length === 3) gate.resolve();
  }
  const events = seen.filter((text) => text.startsWith("event"));
  expect(events).toHaveLength(2);
  expect(seen.filter((text) => text === ": still here\n\n").length).toBeGreaterThanOrEqual(3);
});

test("a failure is told as an event of its own, and ends the stream", async () => {
  async function* source(): AsyncGenerator<ServerSentEvent> {
    yield event(1);
    throw new Error("gone");
  }
  const { texts, told } = parts(source());
  expect(await rest(texts)).toMatch(/event: failure\ndata: \{"error":\{\}\}\n\n$/);
  expect(told).toEqual(["Error: gone"]);
});

test("who leaves half-way leaves the source, too, once", async () => {
  let isLeft = false;
  async function* source() {
    try {
      yield event(1);
      yield event(2);
    } finally {
      isLeft = true;
    }
  }
  const { texts, told } = parts(source());
  await texts.next();
  await texts.next();
  await texts.return(undefined);
  expect([isLeft, told]).toEqual([true, ["left"]]);
});
