// The project's own source files, for tests that check how they are written.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../deploy/package-root.ts";

export interface SourceFile {
  /** From the project's root. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

/** Files that git knows or would take, so that ignored and generated ones stay out. */
export function projectFiles(pattern: RegExp): SourceFile[] {
  const root = packageRoot();
  const listing = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  return [...new Set(listing.trim().split("\n"))]
    .filter((path) => pattern.test(path) && existsSync(join(root, path)))
    .map((path) => {
      const text = readFileSync(join(root, path), "utf8");
      return { path, text, lines: text.split("\n") };
    });
}

/** Everything written by hand that runs. */
export function sourceFiles(): SourceFile[] {
  return projectFiles(/\.(ts|mjs)$/).filter(({ path }) => !path.startsWith("protos/gen/"));
}

/** What a file imports, types included. */
export function importsOf({ text }: SourceFile): string[] {
  const specifiers = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+"([^"]+)"|import\(\s*"([^"]+)"|(?:^|\n)import\s+"([^"]+)"/g,
  );
  return Array.from(specifiers, (match) => match[1] ?? match[2] ?? match[3] ?? "");
}
