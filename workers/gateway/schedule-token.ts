// Page tokens of ListSchedules: opaque to callers.
//
// Guarantees: a token says behind which schedule the next page begins, also when that one is gone;
// what is none of ours is refused. It is no secret and grants nothing.

import { textOfToken, tokenOfText } from "./opaque-token.ts";

const TOKEN = /^1\.s\.([0-9]{1,15})$/;
const LENGTH_MAX = 64;

export function scheduleToken(afterLogIndex: number): string {
  return tokenOfText(`1.s.${afterLogIndex}`);
}

/** null: not a token of ours. */
export function parseScheduleToken(token: string): number | null {
  const index = TOKEN.exec(textOfToken(token, LENGTH_MAX) ?? "")?.[1];
  return index === undefined ? null : Number(index);
}
