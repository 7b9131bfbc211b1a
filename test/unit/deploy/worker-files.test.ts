// Which exports of a user's file count as jobs.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { UsageError } from "../../../deploy/exit-code.ts";
import { definitionsOf } from "../../../deploy/worker-files.ts";
import { temporaryFolder } from "../../support/folder.ts";

const folder = temporaryFolder("jobs");

function fileWith(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const job = (kind: string): string =>
  `{ kind: "${kind}", queue: "q", lockTemplates: [], run: async () => null }`;

describe("a worker file", () => {
  test("may export one job, several, lists of them, and other things beside", async () => {
    const path = fileWith(
      "many.mjs",
      `const a = ${job("a")};
       export default a;
       export { a };
       export const b = ${job("b")};
       export const list = [${job("c")}, ${job("d")}];
       export const limit = 3;
       export function notAJob() {}`,
    );
    const kinds = (await definitionsOf([path])).map(({ kind }) => kind);
    expect(kinds.toSorted()).toEqual(["a", "b", "c", "d"]);
  });

  test("that exports none is refused by name", async () => {
    const path = fileWith("none.mjs", "export const x = 1;");
    await expect(definitionsOf([path])).rejects.toThrow(UsageError);
    await expect(definitionsOf([path])).rejects.toThrow(/none\.mjs exports no job/);
  });

  test("may not define a kind that another one defines", async () => {
    const first = fileWith("first.mjs", `export default ${job("same")};`);
    const second = fileWith("second.mjs", `export default ${job("same")};`);
    await expect(definitionsOf([first, second])).rejects.toThrow(
      /same is defined more than once: in .*first\.mjs and .*second\.mjs/,
    );
  });

  test("that throws is told with the line; one that is not there, with its path", async () => {
    const path = fileWith("throws.mjs", '\nthrow new Error("no such secret");');
    await expect(definitionsOf([path])).rejects.toThrow(/no such secret\n {2}in .*throws\.mjs:2/);
    await expect(definitionsOf(["absent.ts"])).rejects.toThrow(/there is no \/.*absent\.ts/);
  });
});
