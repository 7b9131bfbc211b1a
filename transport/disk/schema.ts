// What is in the SQLite file, and how its rows become the log store's values.
//
//   meta        whose store it is, and which life of the node this is
//   hard_state  term and vote
//   log_bounds  the log begins behind its offset (rows at or before it are rubbish, to be removed)
//               and ends at its last entry: an end that got lost is told from a shorter log
//   snapshot    the one that a restart begins with; its columns are NULL before the first
//   entries     the log
//
// Guarantees: a file of another schema is refused, and left as it is. What is read has passed its
// checksum.

import type { DatabaseSync } from "node:sqlite";
import { decodeConfiguration, encodeConfiguration } from "../../raft/configuration.ts";
import type { HardState } from "../../raft/effect.ts";
import type { LogIndex, LogPosition, Snapshot } from "../../raft/message.ts";
import type { StoreIdentity } from "../log-store.ts";
import { CheckedRow, type RowValue } from "./checked-row.ts";
import { pragma, transact } from "./database.ts";
import { StoreError } from "./store-error.ts";

/** PRAGMA user_version. Raise it with each change of SCHEMA and say how to come from the last. */
const SCHEMA_VERSION = 2;
const SCHEMA = `
  CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    cluster TEXT NOT NULL,
    node_id TEXT NOT NULL,
    store_id TEXT NOT NULL,
    may_found INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    crc INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE hard_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    current_term INTEGER NOT NULL,
    voted_for TEXT,
    crc INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE log_bounds (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    offset_index INTEGER NOT NULL,
    offset_term INTEGER NOT NULL,
    last_index INTEGER NOT NULL,
    crc INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    log_index INTEGER,
    term INTEGER,
    configuration TEXT,
    bytes INTEGER,
    checksum INTEGER,
    crc INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE entries (
    log_index INTEGER PRIMARY KEY,
    term INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    data BLOB NOT NULL,
    traceparent TEXT NOT NULL,
    crc INTEGER NOT NULL
  ) STRICT;
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

const META = new CheckedRow("meta", ["cluster", "node_id", "store_id", "may_found", "incarnation"]);
const HARD_STATE = new CheckedRow("hard_state", ["current_term", "voted_for"]);
const LOG_BOUNDS = new CheckedRow("log_bounds", ["offset_index", "offset_term", "last_index"]);
const SNAPSHOT = new CheckedRow("snapshot", [
  "log_index",
  "term",
  "configuration",
  "bytes",
  "checksum",
]);

export interface Meta {
  readonly identity: StoreIdentity;
  readonly storeId: string;
  readonly mayFound: boolean;
  readonly incarnation: number;
}

export interface LogBounds {
  /** The place before the first entry. */
  readonly offset: LogPosition;
  /** The offset's, if there is no entry. */
  readonly last: LogIndex;
}

/** All rows but the entries. */
export interface Rows {
  readonly meta: Meta;
  readonly hardState: HardState;
  readonly bounds: LogBounds;
  readonly snapshot: Snapshot | null;
}

export interface RowWriter {
  meta(meta: Meta): void;
  hardState(hardState: HardState): void;
  bounds(bounds: LogBounds): void;
  snapshot(snapshot: Snapshot | null): void;
}

/** Whether there is a schema; throws StoreError if it is another one. */
export function hasSchema(database: DatabaseSync, path: string): boolean {
  const version = pragma(database, "user_version");
  if (version === SCHEMA_VERSION) return true;
  if (version === 0) return false;
  const advice =
    version === 1
      ? "it was never released: start with an empty folder"
      : "it is another version's, or not quorumq's";
  throw new StoreError(
    "other-schema",
    `${path} has schema version ${version}, this quorumq knows ${SCHEMA_VERSION}; ${advice}`,
  );
}

export function createSchema(database: DatabaseSync, meta: Meta): void {
  transact(database, () => {
    database.exec(SCHEMA);
    const write = rowWriter(database);
    write.meta(meta);
    write.hardState({ currentTerm: 0, votedFor: null });
    write.bounds({ offset: { index: 0, term: 0 }, last: 0 });
    write.snapshot(null);
  });
}

export function rowWriter(database: DatabaseSync): RowWriter {
  const meta = META.replacer(database);
  const hardState = HARD_STATE.replacer(database);
  const bounds = LOG_BOUNDS.replacer(database);
  const snapshot = SNAPSHOT.replacer(database);
  return {
    meta: ({ identity: { cluster, nodeId }, storeId, mayFound, incarnation }) =>
      meta([cluster, nodeId, storeId, mayFound ? 1 : 0, incarnation]),
    hardState: ({ currentTerm, votedFor }) => hardState([currentTerm, votedFor]),
    bounds: ({ offset: { index, term }, last }) => bounds([index, term, last]),
    snapshot: (value) => snapshot(snapshotRow(value)),
  };
}

function snapshotRow(snapshot: Snapshot | null): readonly RowValue[] {
  if (snapshot === null) return [null, null, null, null, null];
  const { index, term, configuration, bytes, checksum } = snapshot;
  const text = new TextDecoder().decode(encodeConfiguration(configuration));
  return [index, term, text, bytes, checksum];
}

/** Throws StoreError. */
export function readRows(database: DatabaseSync, path: string): Rows {
  const rows: Rows = {
    meta: readMeta(database, path),
    hardState: readHardState(database, path),
    bounds: readBounds(database, path),
    snapshot: readSnapshotRow(database, path),
  };
  const { snapshot, bounds } = rows;
  const place = snapshot?.index ?? 0;
  if (bounds.offset.index <= place && place <= bounds.last) return rows;
  throw new StoreError("corrupt", `${path}: the log has no place for its snapshot`);
}

function readMeta(database: DatabaseSync, path: string): Meta {
  const [cluster, nodeId, storeId, mayFound, incarnation] = META.read(database, path);
  return {
    identity: { cluster: String(cluster), nodeId: String(nodeId) },
    storeId: String(storeId),
    mayFound: mayFound === 1,
    incarnation: Number(incarnation),
  };
}

function readHardState(database: DatabaseSync, path: string): HardState {
  const [currentTerm, votedFor = null] = HARD_STATE.read(database, path);
  return {
    currentTerm: Number(currentTerm),
    votedFor: votedFor === null ? null : String(votedFor),
  };
}

function readBounds(database: DatabaseSync, path: string): LogBounds {
  const [index, term, last] = LOG_BOUNDS.read(database, path);
  return { offset: { index: Number(index), term: Number(term) }, last: Number(last) };
}

function readSnapshotRow(database: DatabaseSync, path: string): Snapshot | null {
  const [index, term, text, bytes, checksum] = SNAPSHOT.read(database, path);
  if (index === null) return null;
  const configuration = decodeConfiguration(new TextEncoder().encode(String(text)));
  if (configuration === null) {
    throw new StoreError("corrupt", `${path}: the snapshot's configuration cannot be read`);
  }
  return {
    index: Number(index),
    term: Number(term),
    configuration,
    bytes: Number(bytes),
    checksum: Number(checksum),
  };
}
