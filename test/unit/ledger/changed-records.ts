// Records of a snapshot in which one thing is not what it was: what a bad disk or peer may bring.
//
// Guarantees: what a codec makes sure of still holds (sorts of values, names of states and
// outcomes); all else may be anything that is near or far.

import type { SnapshotRecord } from "../../../ledger/ledger.ts";

type Holder = Record<string, unknown>;
interface Leaf {
  readonly holder: Holder;
  readonly name: string;
}

const STATES = ["scheduled", "queued", "running", "succeeded", "failed", "cancelled"];
const LOCK_STATES = ["waiting", "held", "over"];
const LOCK_ENDS = [null, "released", "expired", "not-granted"];
const OUTCOMES = [
  ...["started", "succeeded", "failed", "timed-out"],
  ...["lost", "fenced", "cancelled", "handed-back"],
];
const TEXTS = ["", "a", "b", "c", "mail", "j-1", "j-4-2"];
const ERROR = { code: "E", message: "m", retryable: true };

/** One of very many changes, by `pick`. */
export function changedRecords(records: readonly SnapshotRecord[], pick: number): SnapshotRecord[] {
  const copy = records.map((record) => copyOf(record) as SnapshotRecord);
  const at = (pick >>> 3) % copy.length;
  const other = (pick >>> 11) % copy.length;
  const [one, two] = [copy[at], copy[other]];
  if (one === undefined || two === undefined) throw new Error("a snapshot has records");
  switch (pick % 8) {
    case 0:
      copy.splice(at, 1);
      return copy;
    case 1:
      copy[at] = two;
      copy[other] = one;
      return copy;
    default: {
      const leaves = leavesOf(one as unknown as Holder);
      const leaf = leaves[(pick >>> 5) % leaves.length];
      if (leaf !== undefined) leaf.holder[leaf.name] = changed(leaf, pick >>> 7);
      return copy;
    }
  }
}

/** structuredClone's arrays are of another realm under jest, and fail strict comparisons. */
function copyOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(copyOf);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, copyOf(inner)]));
}

function leavesOf(holder: Holder): Leaf[] {
  return Object.entries(holder).flatMap(([name, value]) => {
    const leaf = { holder, name };
    if (typeof value !== "object" || value === null) return isTag(leaf) ? [] : [leaf];
    if (value instanceof Uint8Array) return name === "result" || name === "progress" ? [leaf] : [];
    const inner = leavesOf(value as Holder);
    return name === "error" || name === "answer" ? [leaf, ...inner] : inner;
  });
}

/** What tells a record from another is the codec's, and no value. */
function isTag({ holder, name }: Leaf): boolean {
  return name === "kind" && !("queue" in holder);
}

function changed({ holder, name }: Leaf, pick: number): unknown {
  const value = holder[name];
  if (name === "result") return value === null ? new Uint8Array() : null;
  if (name === "error") return value === null ? ERROR : null;
  if (name === "answer") {
    return value === null ? { kind: "finished", state: "queued", nextAttemptMs: 1 } : null;
  }
  if (name === "state") {
    const states = "ttlMs" in holder ? LOCK_STATES : STATES;
    return states[pick % states.length];
  }
  if (name === "end") return LOCK_ENDS[pick % LOCK_ENDS.length];
  if (name === "progress") return value === null ? new Uint8Array() : null;
  if (name === "outcome" || name === "tried") return OUTCOMES[pick % OUTCOMES.length];
  if (typeof value === "number") return [value + 1, value - 1, 0, 1, 3, -1, 2 ** 40][pick % 7];
  if (typeof value === "boolean") return !value;
  return TEXTS[pick % TEXTS.length];
}
