// docs/lessons.md promises tests: each one that it names is there, under that title.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { packageRoot } from "../../deploy/package-root.ts";

const ROWS = 30;
const docs = join(packageRoot(), "docs");
const rows = readFileSync(join(docs, "lessons.md"), "utf8")
  .split("\n")
  .filter((line) => /^\| \d+ \|/.test(line));

/** Every `[file](path) "title"` of a row's last cell. */
function namedIn(row: string): { readonly path: string; readonly title: string }[] {
  const cell = row.split(" | ").at(-1) ?? "";
  return Array.from(cell.matchAll(/\[[^\]]+\]\(([^)]+)\) "([^"]+)"/g), ([, path, title]) => ({
    path: path ?? "",
    title: title ?? "",
  }));
}

/** The titles of its tests, as they are written. */
function titlesIn(path: string): ReadonlySet<string> {
  const source = readFileSync(path, "utf8");
  const titles = source.matchAll(/\b(?:test|describe)[\w.]*\((?:[^"'`]*\n)?\s*(["'`])(.*?)\1,/g);
  const tables = source.matchAll(/^\s*\]\)\(\s*(["'`])(.*?)\1,/gm);
  return new Set([...titles, ...tables].map(([, , title]) => title ?? ""));
}

test("there is a row for each lesson, with a link to where it was met and tests", () => {
  expect(rows.map((row) => Number(row.split("|")[1]))).toEqual(
    [...Array(ROWS).keys()].map((n) => n + 1),
  );
  const bare = rows.filter((row) => !/\]\(https:\/\//.test(row) || namedIn(row).length === 0);
  expect(bare).toEqual([]);
});

test("each test that is named exists under its title", () => {
  const named = rows.flatMap(namedIn).map(({ path, title }) => ({ path: join(docs, path), title }));
  const missing = named.filter(
    ({ path, title }) => !existsSync(path) || !titlesIn(path).has(title),
  );
  expect(missing).toEqual([]);
});
