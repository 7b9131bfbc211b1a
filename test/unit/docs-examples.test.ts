// The TypeScript that a newcomer copies out of the documentation fits the library's types.

import { spawnSync } from "node:child_process";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, jest, test } from "@jest/globals";
import { packageRoot } from "../../deploy/package-root.ts";
import { temporaryFolder } from "../support/folder.ts";

jest.setTimeout(120_000);

const folder = temporaryFolder("docs-examples");
const root = packageRoot();

/** The blocks of a page that are TypeScript. */
function blocksOf(page: string): string[] {
  const text = readFileSync(join(root, page), "utf8");
  return Array.from(text.matchAll(/^```ts\n([\s\S]*?)^```$/gm), (match) => match[1] ?? "");
}

/** What the definition takes for granted. */
const GRANTED = `
import { createClient, defineJob } from "quorumq";
import { z } from "zod";
const client = createClient({ address: "" });
declare const to: string, subject: string;
declare function send(to: string, subject: string, signal: AbortSignal): Promise<string>;
`;

function write(name: string, text: string | undefined): void {
  writeFileSync(join(folder, name), text ?? "the block is gone");
}

beforeAll(() => {
  const [chargeOrder, client] = blocksOf("README.md");
  write("charge-order.ts", chargeOrder);
  write("client.ts", client);
  const [, definition, move] = blocksOf("docs/from-bullmq.md");
  write("send-mail.ts", `${GRANTED}${definition}`);
  write("move.ts", move);
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const paths = { quorumq: [join(root, "workers", "index.ts")] };
  write("package.json", '{"type":"module"}');
  const options = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: { paths, noEmit: true },
    files: ["client.ts", "move.ts"],
  };
  write("tsconfig.json", JSON.stringify(options));
});

test("README.md and docs/from-bullmq.md", () => {
  const tsc = join(root, "node_modules", ".bin", "tsc");
  const { stdout, status } = spawnSync(tsc, ["-p", folder], { encoding: "utf8" });
  expect([stdout, status]).toEqual(["", 0]);
});
