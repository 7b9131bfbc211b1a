// A message leaves when the write it names is durable, and not a moment earlier.

import { expect, test } from "@jest/globals";
import type { Message } from "../../../raft/message.ts";
import { HeldSends } from "../../../transport/held-sends.ts";
import { HELD_SENDS_MAX } from "../../../transport/limit.ts";

/** Told apart by its term. */
function message(term: number): Message {
  return { kind: "request-vote-result", term, voteGranted: true, preVote: false };
}

function recording(): { readonly held: HeldSends; readonly sentTerms: number[] } {
  const sentTerms: number[] = [];
  const held = new HeldSends((_to, { term }) => sentTerms.push(term));
  return { held, sentTerms };
}

test("a message that names no write leaves at once, past those that wait", () => {
  const { held, sentTerms } = recording();
  held.send("n2", message(1), 3);
  held.send("n2", message(2), 0);
  expect(sentTerms).toEqual([2]);
});

test("a message waits for its own write, not for an earlier one", () => {
  const { held, sentTerms } = recording();
  held.send("n2", message(1), 3);
  held.durable(2);
  expect(sentTerms).toEqual([]);
  held.durable(3);
  expect(sentTerms).toEqual([1]);
  expect(held.length).toBe(0);
});

test("a write that is durable frees all that waited for it or for earlier ones, in their order", () => {
  const { held, sentTerms } = recording();
  held.send("n2", message(1), 2);
  held.send("n3", message(2), 1);
  held.send("n2", message(3), 3);
  held.send("n3", message(4), 2);
  held.durable(2);
  expect(sentTerms).toEqual([1, 2, 4]);
});

test("a message behind a write that is durable already leaves at once", () => {
  const { held, sentTerms } = recording();
  held.durable(5);
  held.durable(4);
  held.send("n2", message(1), 5);
  expect(sentTerms).toEqual([1]);
});

test("behind a disk that stands still the newest are kept, and no more than the limit", () => {
  const { held, sentTerms } = recording();
  for (let term = 1; term <= HELD_SENDS_MAX + 5; term += 1) held.send("n2", message(term), 1);
  expect(held.length).toBe(HELD_SENDS_MAX);
  held.durable(1);
  expect(sentTerms[0]).toBe(6);
  expect(sentTerms.at(-1)).toBe(HELD_SENDS_MAX + 5);
});
