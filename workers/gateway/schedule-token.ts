// Page tokens of ListSchedules: opaque to callers.
//
// Guarantees: a token says behind which schedule the next page begins, also when that one is gone;
// what is none of ours is refused. It is no secret and grants nothing.

const TOKEN = /^1\.s\.([0-9]{1,15})$/;
const LENGTH_MAX = 64;

export function scheduleToken(afterLogIndex: number): string {
  return Buffer.from(`1.s.${afterLogIndex}`, "utf8").toString("base64url");
}

/** null: not a token of ours. */
export function parseScheduleToken(token: string): number | null {
  if (token.length > LENGTH_MAX) return null;
  const index = TOKEN.exec(Buffer.from(token, "base64url").toString("utf8"))?.[1];
  return index === undefined ? null : Number(index);
}
