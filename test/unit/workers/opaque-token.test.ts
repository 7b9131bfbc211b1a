// Page tokens that were changed on the way, and those that somebody made up.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { RetryFilter } from "../../../ledger/command.ts";
import { KEY_LENGTH_MAX } from "../../../transport/limit.ts";
import { textOfToken, tokenOfText } from "../../../workers/gateway/opaque-token.ts";
import { parseRetryToken, retryToken } from "../../../workers/gateway/retry-token.ts";

const ANY = { kind: "", queue: "", errorCode: "", createdFromMs: 0, createdBeforeMs: 0 };
const FILTER: RetryFilter = { state: "failed", ...ANY };

test("a text has one token", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      expect(textOfToken(tokenOfText(text), Number.POSITIVE_INFINITY)).toBe(text);
    }),
  );
});

test.each([
  ["another character in it", "MS5z!LjU"],
  ["padding", "MS5zLjU="],
  ["the other alphabet", Buffer.from("?>?>").toString("base64")],
  ["bytes that are no UTF-8", Buffer.from([0x31, 0xff]).toString("base64url")],
  ["more than it may have", tokenOfText("k".repeat(100))],
])("a token with %s has no text", (_, token) => {
  expect(textOfToken(token, 100)).toBeNull();
});

test("a request that no caller could have made is not gone on with", () => {
  const made = (length: number) => ({ fromNumber: 7, requestId: "r".repeat(length) });
  const parsed = (length: number) => parseRetryToken(FILTER, retryToken(FILTER, made(length)));
  expect(parsed(KEY_LENGTH_MAX)).toEqual(made(KEY_LENGTH_MAX));
  expect(parsed(KEY_LENGTH_MAX + 1)).toBeNull();
});
