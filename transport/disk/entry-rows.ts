// The log's rows: read in slices, and removed in slices when compaction has passed them.
//
// Guarantees: what is read is the whole log behind the offset, each entry sound, none missing; else
// StoreError "corrupt". Removing never takes the thread for longer than it is told to, however
// much there is to remove.

import { performance } from "node:perf_hooks";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { type Entry, EntryKind, type LogIndex } from "../../raft/message.ts";
import { entryCrc } from "./checked-row.ts";
import { NUMBERS_PER_ENTRY, type PackedEntries } from "./packed.ts";
import type { LogBounds } from "./schema.ts";
import { StoreError } from "./store-error.ts";

/** Of one query: larger ones are not quicker. */
const READ_ENTRIES_MAX = 10_000;
/** Of one look at entries that are not being recovered: commits wait for it. */
const CHECK_ENTRIES_MAX = 256;
const SLICE_BYTES_MAX = 8 * 1024 * 1024;
/** Of one DELETE: an entry can be 1 MiB, and each of its pages is read to be freed. */
const DELETE_ENTRIES_MAX = 16;

// A row at a time, each with a buffer of its own, a million entries take three times as long. As
// text, group_concat joins bytes as they are, whatever they are; the checksums prove it.
const COLUMNS = `
  SELECT json_group_array(log_index), json_group_array(term), json_group_array(kind),
         json_group_array(length(data)), json_group_array(traceparent), json_group_array(crc)
  FROM (SELECT * FROM entries WHERE log_index > ? ORDER BY log_index LIMIT ?)`;
const DATA = `
  SELECT CAST(group_concat(CAST(data AS TEXT), '') AS BLOB)
  FROM (SELECT data FROM entries WHERE log_index BETWEEN ? AND ? ORDER BY log_index)`;

interface Columns {
  readonly index: readonly LogIndex[];
  readonly term: readonly number[];
  readonly kind: readonly EntryKind[];
  readonly bytes: readonly number[];
  readonly traceparent: readonly string[];
  readonly crc: readonly number[];
}

/** In order, all that the bounds promise. Throws StoreError or SQLite's. */
export function* readEntries(
  database: DatabaseSync,
  path: string,
  bounds: LogBounds,
): Generator<PackedEntries> {
  const columnsQuery = database.prepare(COLUMNS);
  const dataQuery = database.prepare(DATA);
  for (let last = bounds.offset.index; ; ) {
    const columns = columnsOf(columnsQuery, last, READ_ENTRIES_MAX, path);
    const hole = columns.index.findIndex((index, position) => index !== last + 1 + position);
    if (hole >= 0) throw missing(last + 1 + hole, path);
    for (const [from, to] of slicesOf(columns.bytes)) {
      yield readSlice(dataQuery, columns, from, to, path);
    }
    last += columns.index.length;
    if (columns.index.length === READ_ENTRIES_MAX) continue;
    if (last < bounds.last) throw missing(last + 1, path);
    if (last === bounds.last) return;
    throw new StoreError("corrupt", `${path}: the log goes on behind its end ${bounds.last}`);
  }
}

/**
 * Reads the next entries as they are on the disk, while the log goes on; gives the last one read,
 * null at the log's end. Takes some milliseconds. Throws as readEntries.
 */
export function checkEntries(
  database: DatabaseSync,
  path: string,
  bounds: LogBounds,
  after: LogIndex,
): LogIndex | null {
  const from = Math.max(after, bounds.offset.index);
  if (from >= bounds.last) return null;
  const columns = columnsOf(database.prepare(COLUMNS), from, CHECK_ENTRIES_MAX, path);
  const wanted = Math.min(CHECK_ENTRIES_MAX, bounds.last - from);
  for (let position = 0; position < wanted; position += 1) {
    if (columns.index[position] !== from + 1 + position) throw missing(from + 1 + position, path);
  }
  const dataQuery = database.prepare(DATA);
  for (const [first, end] of slicesOf(columns.bytes)) {
    readSlice(dataQuery, columns, first, end, path);
  }
  return from + wanted;
}

function missing(index: LogIndex, path: string): StoreError {
  return new StoreError("corrupt", `${path}: entry ${index} is missing`);
}

function columnsOf(
  query: StatementSync,
  after: LogIndex,
  entriesMax: number,
  path: string,
): Columns {
  const lists = Object.values(query.get(after, entriesMax) ?? {}).map((text) =>
    listOf(String(text), path),
  );
  const [index = [], term = [], kind = [], bytes = [], traceparent = [], crc = []] = lists;
  return { index, term, kind, bytes, traceparent, crc } as Columns;
}

function listOf(text: string, path: string): readonly unknown[] {
  try {
    return JSON.parse(text) as readonly unknown[];
  } catch (error) {
    // SQLite makes JSON of all that is text; what is damaged may be none.
    throw new StoreError("corrupt", `${path}: entries cannot be read`, { cause: error });
  }
}

/** Pairs of positions [from, to) with so much data as one message should have. */
function* slicesOf(bytes: readonly number[]): Generator<readonly [from: number, to: number]> {
  let from = 0;
  let sum = 0;
  for (const [position, size] of bytes.entries()) {
    sum += size;
    if (sum < SLICE_BYTES_MAX && position < bytes.length - 1) continue;
    yield [from, position + 1];
    from = position + 1;
    sum = 0;
  }
}

function readSlice(
  query: StatementSync,
  columns: Columns,
  from: number,
  to: number,
  path: string,
): PackedEntries {
  const [first = 0, last = 0] = [columns.index[from], columns.index[to - 1]];
  const [blob] = Object.values(query.get(first, last) ?? {});
  const data = (blob ?? new Uint8Array(0)) as Uint8Array<ArrayBuffer>;
  const numbers = new Float64Array((to - from) * NUMBERS_PER_ENTRY);
  let at = 0;
  for (let position = from; position < to; position += 1) {
    const { index, term, kind, bytes, traceparent } = {
      index: columns.index[position] ?? 0,
      term: columns.term[position] ?? 0,
      kind: columns.kind[position] ?? EntryKind.Command,
      bytes: columns.bytes[position] ?? 0,
      traceparent: columns.traceparent[position] ?? "",
    };
    numbers.set([index, term, kind, bytes], (position - from) * NUMBERS_PER_ENTRY);
    const entry: Entry = { index, term, kind, data: data.subarray(at, at + bytes), traceparent };
    if (entryCrc(entry) !== columns.crc[position]) {
      throw new StoreError("corrupt", `${path}: entry ${index} does not match its checksum`);
    }
    at += bytes;
  }
  return { numbers, traceparents: columns.traceparent.slice(from, to), data };
}

/** Rows at or before the offset: nobody reads them any more. */
export class EntryPurge {
  readonly #delete: StatementSync;
  readonly #first: StatementSync;
  /** No row is before it. */
  #from: LogIndex;
  #to: LogIndex;

  /** Also finds what an earlier life left. */
  constructor(database: DatabaseSync, offset: LogIndex) {
    this.#delete = database.prepare("DELETE FROM entries WHERE log_index BETWEEN ? AND ?");
    this.#first = database.prepare("SELECT min(log_index) AS first FROM entries");
    this.#from = 0;
    this.#to = offset;
    this.#seek();
  }

  get isPending(): boolean {
    return this.#from <= this.#to;
  }

  /** The offset has moved. */
  raise(offset: LogIndex): void {
    this.#to = offset;
  }

  /** Within a transaction: removes for about so long. */
  step(budgetMs: number): void {
    const endMs = performance.now() + budgetMs;
    do {
      const to = Math.min(this.#from + DELETE_ENTRIES_MAX - 1, this.#to);
      const { changes } = this.#delete.run(this.#from, to);
      this.#from = to + 1;
      // An installed snapshot leaves a gap, which may be long.
      if (changes === 0) this.#seek();
    } while (this.isPending && performance.now() < endMs);
  }

  #seek(): void {
    this.#from = Number(this.#first.get()?.["first"] ?? this.#to + 1);
  }
}
