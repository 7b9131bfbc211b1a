// What any adapter of transport/log-store.ts must do; each adapter's test file runs it.
//
// Does not own: snapshots (snapshot-store.ts), nor what differs by adapter: locks, corruption,
// kill -9, poison.

import { expect, test } from "@jest/globals";
import { type Entry, EntryKind } from "../../raft/message.ts";
import type { LogStore } from "../../transport/log-store.ts";
import { entries, entry, plain } from "../support/log-entry.ts";

export interface LogStoreUnderTest {
  /** Opens the same store again each time it is called, after the one before was closed. */
  open(): Promise<LogStore>;
}

export function logStoreContract(subject: () => LogStoreUnderTest): void {
  async function reopened(write: (store: LogStore) => Promise<void>): Promise<LogStore> {
    const before = await subject().open();
    await write(before);
    await before.close();
    return await subject().open();
  }

  test("A new store is empty: term 0, no vote, no entries, incarnation 1.", async () => {
    const store = await subject().open();
    expect(store.recovered).toEqual({
      hardState: { currentTerm: 0, votedFor: null },
      snapshot: null,
      offset: { index: 0, term: 0 },
      entries: [],
      incarnation: 1,
      storeId: expect.stringMatching(/^[0-9a-f]{8}$/),
      mayFound: true,
    });
    await store.close();
  });

  test("The incarnation rises by one at each open.", async () => {
    const incarnations: number[] = [];
    for (let life = 0; life < 3; life += 1) {
      const store = await subject().open();
      incarnations.push(store.recovered.incarnation);
      await store.close();
    }
    expect(incarnations).toEqual([1, 2, 3]);
  });

  test("The store is the same one at each open.", async () => {
    const storeIds = new Set<string>();
    for (let life = 0; life < 3; life += 1) {
      const store = await subject().open();
      storeIds.add(store.recovered.storeId);
      await store.close();
    }
    expect(storeIds.size).toBe(1);
  });

  test("Term, vote and entries of one write are all there after a reopen.", async () => {
    const traced: Entry = {
      index: 2,
      term: 4,
      kind: EntryKind.NoOp,
      data: new Uint8Array(0),
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };
    const written = [entry(1, 3), traced, { ...entry(3, 4), kind: EntryKind.Configuration }];
    const store = await reopened((before) =>
      before.persist({ hardState: { currentTerm: 4, votedFor: "n2" }, entries: written }),
    );
    expect(store.recovered.hardState).toEqual({ currentTerm: 4, votedFor: "n2" });
    expect(plain(store.recovered.entries)).toEqual(plain(written));
    await store.close();
  });

  test("What a write does not name stays as it was.", async () => {
    const store = await reopened(async (before) => {
      await before.persist({ hardState: { currentTerm: 2, votedFor: "n1" }, entries: [] });
      await before.persist({ entries: [entry(1, 2)] });
      await before.persist({ entries: [] });
    });
    expect(store.recovered.hardState).toEqual({ currentTerm: 2, votedFor: "n1" });
    expect(store.recovered.entries).toHaveLength(1);
    await store.close();
  });

  test("A vote is replaced by none when the term rises.", async () => {
    const store = await reopened(async (before) => {
      await before.persist({ hardState: { currentTerm: 2, votedFor: "n1" }, entries: [] });
      await before.persist({ hardState: { currentTerm: 3, votedFor: null }, entries: [] });
    });
    expect(store.recovered.hardState).toEqual({ currentTerm: 3, votedFor: null });
    await store.close();
  });

  test("A truncation drops its entry and all behind it, then appends the write's own.", async () => {
    const store = await reopened(async (before) => {
      await before.persist({ entries: entries(1, 10, 1) });
      await before.persist({ truncateFrom: 4, entries: entries(4, 6, 2) });
    });
    const kept = [...entries(1, 3, 1), ...entries(4, 6, 2)];
    expect(plain(store.recovered.entries)).toEqual(plain(kept));
    await store.close();
  });

  test("Writes asked for without waiting keep their order, truncations included.", async () => {
    const store = await reopened(async (before) => {
      await Promise.all([
        before.persist({ entries: entries(1, 5, 1) }),
        before.persist({ truncateFrom: 3, entries: entries(3, 8, 2) }),
        before.persist({ truncateFrom: 6, entries: [] }),
        before.persist({ entries: entries(6, 7, 3) }),
        before.persist({ hardState: { currentTerm: 3, votedFor: null }, entries: [] }),
      ]);
    });
    const kept = [...entries(1, 2, 1), ...entries(3, 5, 2), ...entries(6, 7, 3)];
    expect(plain(store.recovered.entries)).toEqual(plain(kept));
    expect(store.recovered.hardState.currentTerm).toBe(3);
    await store.close();
  });

  test("Writes resolve in the order in which they were asked.", async () => {
    const store = await subject().open();
    const resolved: number[] = [];
    const writes = Array.from({ length: 200 }, (_, at) =>
      store.persist({ entries: [entry(at + 1, 1)] }).then(() => resolved.push(at)),
    );
    await Promise.all(writes);
    expect(resolved).toEqual(Array.from({ length: 200 }, (_, at) => at));
    await store.close();
  });

  test("The caller's data is still the caller's after a write.", async () => {
    const store = await subject().open();
    const data = new Uint8Array([1, 2, 3]);
    await store.persist({ entries: [{ ...entry(1, 1), data }] });
    expect([...data]).toEqual([1, 2, 3]);
    await store.close();
  });

  test("Closing waits for the writes under way, and refuses later ones.", async () => {
    const store = await subject().open();
    const write = store.persist({ entries: entries(1, 500, 1) });
    await store.close();
    await write;
    await expect(store.persist({ entries: [] })).rejects.toMatchObject({ code: "closed" });
    const again = await subject().open();
    expect(again.recovered.entries).toHaveLength(500);
    await again.close();
  });

  test("An entry that would leave a hole is refused as our own bug.", async () => {
    const store = await subject().open();
    await store.persist({ entries: [entry(1, 1)] });
    expect(() => store.persist({ entries: [entry(3, 1)] })).toThrow("entry 3 after entry 1");
    await store.close();
  });
}
