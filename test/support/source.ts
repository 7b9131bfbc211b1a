// The project's own source files, for tests that check how they are written.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../deploy/package-root.ts";

export interface SourceFile {
  /** From the project's root. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

/** What is installed, built or produced by running. */
const FOREIGN = new Set([".git", "node_modules", "dist", "coverage", ".quorumq", "secrets"]);

/** The project's files whose path matches, without those that git ignores. */
export function projectFiles(pattern: RegExp): SourceFile[] {
  const root = packageRoot();
  return pathsBelow(root, "")
    .filter((path) => pattern.test(path))
    .map((path) => {
      const text = readFileSync(join(root, path), "utf8");
      return { path, text, lines: text.split("\n") };
    });
}

function pathsBelow(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (FOREIGN.has(entry.name)) return [];
    if (entry.isDirectory()) return pathsBelow(root, path);
    return entry.isFile() ? [path] : [];
  });
}

/** Everything written by hand that runs. */
export function sourceFiles(): SourceFile[] {
  return projectFiles(/\.(ts|mjs)$/).filter(({ path }) => !path.startsWith("protos/gen/"));
}

/** What a file imports, types included. */
export function importsOf({ text }: SourceFile): string[] {
  const forms = [
    /^\s*(?:import|export)\s[^;]*?from\s+"([^"]+)"/gm,
    /^import\s+"([^"]+)"/gm,
    /\bimport\(\s*"([^"]+)"/g,
  ];
  return forms.flatMap((form) => Array.from(text.matchAll(form), (match) => match[1] ?? ""));
}
