// A copy of the sources that a simulation is made of, to be broken without touching the real ones.
//
// Guarantees: the copy is in a temporary folder of its own, and of one moment: `apply` writes the
// patched files over it, `restore` what was there. Nothing is installed: node_modules is a link.
// Does not own: what is run there (hunt.ts).

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../../deploy/package-root.ts";
import { filesOf, type Mutant, patched } from "./mutant.ts";

/** What test/sim imports and what runs it, and the tests that a mutant may name. */
const COPIED = [
  "raft",
  "ledger",
  "transport",
  "protos/gen",
  "test/sim",
  "test/unit/ledger",
  "test/unit/raft",
  "test/support",
  "test/mutant",
  "package.json",
];

export class Workspace {
  readonly folder: string;
  readonly #originals = new Map<string, string>();

  constructor() {
    const root = packageRoot();
    this.folder = mkdtempSync(join(tmpdir(), "quorumq-mutant-"));
    for (const path of COPIED)
      cpSync(join(root, path), join(this.folder, path), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(this.folder, "node_modules"));
  }

  apply(mutant: Mutant): void {
    for (const file of filesOf(mutant)) {
      const path = join(this.folder, file);
      const original = this.#originals.get(file) ?? readFileSync(path, "utf8");
      this.#originals.set(file, original);
      writeFileSync(path, patched(mutant, file, original));
    }
  }

  restore(): void {
    for (const [file, text] of this.#originals) writeFileSync(join(this.folder, file), text);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function sourceOf(file: string): string {
  return readFileSync(join(packageRoot(), file), "utf8");
}
