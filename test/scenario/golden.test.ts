// The named scenarios of golden/: what a cluster does, message by message, as files to read.
//
// With QUORUMQ_TEST_UPDATE_GOLDEN=1 the files are written anew instead; the change is then reviewed
// like code, and its reason belongs in the commit message.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { packageRoot } from "../../deploy/package-root.ts";
import { runGolden } from "../support/golden-file.ts";

const folder = join(packageRoot(), "test", "scenario", "golden");
const files = readdirSync(folder).filter((name) => name.endsWith(".txt"));
const isUpdate = process.env["QUORUMQ_TEST_UPDATE_GOLDEN"] === "1";

describe("the scenario", () => {
  test.each(files)("%s goes as it is written", (name) => {
    const path = join(folder, name);
    const text = readFileSync(path, "utf8");
    const now = runGolden(text);
    if (isUpdate) writeFileSync(path, now);
    else expect(now).toBe(text);
  });

  test.each(files)("%s opens by saying what it shows and where it is from", (name) => {
    const [head] = readFileSync(join(folder, name), "utf8").split("\n\n");
    expect(head?.split("\n").every((line) => line.startsWith("#"))).toBe(true);
    expect(head).toMatch(/^# Source: /m);
  });
});
