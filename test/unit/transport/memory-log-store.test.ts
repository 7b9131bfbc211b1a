// The disk in memory does as a real one: else what is proven on it says nothing.

import { beforeEach, describe } from "@jest/globals";
import { logStoreContract } from "../../contract/log-store.ts";
import { snapshotStoreContract } from "../../contract/snapshot-store.ts";
import { MemoryLogStore } from "../../support/memory-log-store.ts";

let latest: MemoryLogStore | null = null;

beforeEach(() => {
  latest = null;
});

function open(): Promise<MemoryLogStore> {
  latest = latest?.reopen() ?? new MemoryLogStore();
  return Promise.resolve(latest);
}

describe("contract", () => {
  logStoreContract(() => ({ open }));
  snapshotStoreContract(() => ({ open }));
});
