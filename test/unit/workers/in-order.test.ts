// How far a stream's items are worked on ahead of the answers that its reader has fetched.

import { expect, test } from "@jest/globals";
import { inOrder } from "../../../workers/gateway/in-order.ts";

const AHEAD = { itemsMax: 4, bytesMax: 100, bytesOf: (bytes: number) => bytes };

/** How many items are taken before any answer is there. */
async function takenAhead(bytes: number): Promise<number> {
  let taken = 0;
  const { promise: never } = Promise.withResolvers<string>();
  const answers = inOrder(endless(bytes), AHEAD, () => {
    taken += 1;
    return never;
  });
  void answers.next();
  // What can go on without an answer goes on in turns of the loop.
  for (let turn = 0; turn < 10; turn += 1) await new Promise((next) => setImmediate(next));
  return taken;
}

async function* endless(bytes: number): AsyncGenerator<number> {
  for (;;) yield bytes;
}

test.each([
  ["small items by their number", 1, 4],
  ["large ones by their bytes", 60, 2],
  ["one that is larger than all may be by itself", 1_000, 1],
])("it goes ahead with %s", async (_, bytes, count) => {
  expect(await takenAhead(bytes)).toBe(count);
});

test("what was answered makes room, and all answers come in order", async () => {
  async function* items(): AsyncGenerator<number> {
    for (let item = 0; item < 50; item += 1) yield 60;
  }
  let count = 0;
  const answers: number[] = [];
  for await (const answer of inOrder(items(), AHEAD, () => Promise.resolve(count++))) {
    answers.push(answer);
  }
  expect(answers).toEqual(Array.from({ length: 50 }, (_, at) => at));
});
