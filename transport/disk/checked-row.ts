// Rows that carry a CRC-32 over all their columns: one row a table for what there is once, and the
// log's entries.
//
// Guarantees: what is read is what was written, or StoreError "corrupt" (raft-lessons L30, L31). A
// table's one row is always there, so that a lost one is told from none.
// Does not own: what the columns mean (schema.ts).

import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { Entry } from "../../raft/message.ts";
import { StoreError } from "./store-error.ts";

export type RowValue = string | number | null;

export class CheckedRow {
  readonly #table: string;
  readonly #columns: readonly string[];

  constructor(table: string, columns: readonly string[]) {
    this.#table = table;
    this.#columns = columns;
  }

  /** The values in the order of the columns. Throws StoreError. */
  read(database: DatabaseSync, path: string): readonly RowValue[] {
    const sql = `SELECT ${this.#columns.join(", ")}, crc FROM ${this.#table} WHERE id = 1`;
    const row = database.prepare(sql).get();
    if (row === undefined) throw new StoreError("corrupt", `${path}: ${this.#table} has no row`);
    const values = this.#columns.map((column) => row[column] as RowValue);
    if (crcOf(values) !== row["crc"]) {
      throw new StoreError("corrupt", `${path}: ${this.#table} does not match its checksum`);
    }
    return values;
  }

  /** Puts these values in place of the row's, or makes the row. */
  replacer(database: DatabaseSync): (values: readonly RowValue[]) => void {
    const marks = "?, ".repeat(this.#columns.length);
    const statement = database.prepare(
      `INSERT OR REPLACE INTO ${this.#table} VALUES (1, ${marks}?)`,
    );
    return (values) => {
      const row: readonly SQLInputValue[] = [...values, crcOf(values)];
      statement.run(...row);
    };
  }
}

export function entryCrc({ index, term, kind, traceparent, data }: Entry): number {
  return crc32(data, crc32(JSON.stringify([index, term, kind, traceparent])));
}

function crcOf(values: readonly RowValue[]): number {
  return crc32(JSON.stringify(values));
}
