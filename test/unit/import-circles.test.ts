// No file needs itself to be loaded, by way of others: each can be read, and tested, by itself.
//
// Types may point back, since nothing is loaded for them. One circle is meant: the ledger's rules,
// where the end of one job lets others go on, and that may end jobs in turn.

import { dirname, join, normalize } from "node:path";
import { expect, test } from "@jest/globals";
import { type SourceFile, sourceFiles } from "../support/source.ts";

const MEANT = [
  "ledger/admission.ts",
  "ledger/attempt-end.ts",
  "ledger/cancel.ts",
  "ledger/change.ts",
  "ledger/family.ts",
  "ledger/park.ts",
  "ledger/retention.ts",
  "ledger/wake.ts",
];

const VALUES = /^(?:import|export)\s+(?!type\s)[^;]*?from\s+"(\.[^"]+)"/gm;

function targetsOf({ path, text }: SourceFile): string[] {
  return Array.from(text.matchAll(VALUES), ([, specifier]) =>
    normalize(join(dirname(path), specifier ?? "")),
  );
}

/** All that is loaded before this file, as far as it is ours. */
function reachedFrom(path: string, targets: ReadonlyMap<string, readonly string[]>): Set<string> {
  const reached = new Set<string>();
  const open = [path];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const target of targets.get(next) ?? []) {
      if (reached.has(target)) continue;
      reached.add(target);
      open.push(target);
    }
  }
  return reached;
}

test("no file is reached from itself, but where it is meant", () => {
  const targets = new Map(sourceFiles().map((file) => [file.path, targetsOf(file)]));
  expect(targets.get("raft/step.ts")).toContain("raft/node.ts");
  const circular = [...targets.keys()].filter((path) => reachedFrom(path, targets).has(path));
  expect(circular.sort()).toEqual(MEANT);
});
