// A member's id: the node's name, which the operator gives, and the id of the disk under it.
//
//   n1#0a1b2c3d     name '#' store id, eight hexadecimal digits, drawn when the store was made
//
// Guarantees: a wiped disk under an old name is another member, so that its forgotten votes are
// never counted (raft-lessons L36). A name has no '#' and fits queue names and routing keys.
// Does not own: drawing store ids (disk/) nor checking names for people (deploy/settings.ts).

import assert from "node:assert/strict";
import type { NodeId } from "../raft/message.ts";

const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const STORE_ID = /^[0-9a-f]{8}$/;
const SEPARATOR = "#";

export function memberId(name: string, storeId: string): NodeId {
  assert(isNodeName(name), `${name} is no name of a node`);
  assert(STORE_ID.test(storeId), `${storeId} is no store id`);
  return `${name}${SEPARATOR}${storeId}`;
}

/** What is before the '#'; all of it if there is none. */
export function nameOf(id: NodeId): string {
  const at = id.indexOf(SEPARATOR);
  return at < 0 ? id : id.slice(0, at);
}

/** What is behind the '#'; "" if there is none. */
export function storeIdOf(id: NodeId): string {
  const at = id.indexOf(SEPARATOR);
  return at < 0 ? "" : id.slice(at + 1);
}

export function isNodeName(text: string): boolean {
  return NAME.test(text);
}

export function isMemberId(text: string): boolean {
  return text.includes(SEPARATOR) && NAME.test(nameOf(text)) && STORE_ID.test(storeIdOf(text));
}
