// docs/events.md says what the code says: every field, every word, nothing else.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { packageRoot } from "../../../deploy/package-root.ts";
import { EVENTS_EXCHANGE, eventRoutingKey } from "../../../transport/amqp/topology.ts";
import {
  decodeJobEvent,
  EVENT_FIELDS,
  EVENT_WORDS,
  encodeJobEvent,
} from "../../../transport/job-event.ts";
import type { JobEvent } from "../../../transport/quorum.ts";

const text = readFileSync(join(packageRoot(), "docs", "events.md"), "utf8");

/** The rows under the heading that begins with this. */
function table(heading: string): string[][] {
  const [, after = ""] = text.split(`| ${heading} |`);
  const [rows = ""] = after.split("\n\n");
  return rows
    .split("\n")
    .slice(2)
    .map((row) =>
      row
        .split("|")
        .map((cell) => cell.trim())
        .slice(1, -1),
    );
}

const event: JobEvent = {
  index: 7,
  term: 2,
  jobId: "j-5",
  kind: "greet",
  queue: "main.slow",
  event: "queued",
  attempt: 0,
  timeMs: 1_700_000_000_000,
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
};

test("the words of events are listed with what they mean", () => {
  const words = Object.entries(EVENT_WORDS).map(([word, meaning]) => [`\`${word}\``, meaning]);
  expect(table("event")).toEqual(words);
});

test("the fields are those that are checked and sent, with their types", () => {
  const listed = table("field").map(([name, type]) => [name, type]);
  const sent = JSON.parse(encodeJobEvent(event).toString()) as Readonly<Record<string, unknown>>;
  expect(listed).toEqual(
    Object.entries(sent).map(([name, value]) => [`\`${name}\``, typeof value]),
  );
  expect(Object.keys(EVENT_FIELDS).toSorted()).toEqual(Object.keys(sent).toSorted());
});

test("each field is needed, but for the trace, and more of them do no harm", () => {
  for (const name of Object.keys(EVENT_FIELDS)) {
    const without = Object.fromEntries(Object.entries(event).filter(([other]) => other !== name));
    const decoded = decodeJobEvent(Buffer.from(JSON.stringify(without)));
    expect([name, decoded]).toEqual([name, name === "traceparent" ? without : null]);
  }
  expect(decodeJobEvent(Buffer.from(JSON.stringify({ ...event, more: 1 })))).toMatchObject(event);
});

test("exchange and routing key are the ones in use", () => {
  expect(text).toContain(`\`${EVENTS_EXCHANGE}\``);
  expect(text).toContain(`\`${eventRoutingKey("<queue>", "<event>")}\``);
});
