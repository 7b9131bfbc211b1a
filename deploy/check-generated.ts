// `npm run check-generated`: are the code under protos/gen and the OpenAPI document what the protos
// give today?
//
// Guarantees: changes nothing in the tree; names every file that differs, is missing or too much.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openApiText } from "../transport/http/openapi.ts";
import { packageRoot } from "./package-root.ts";
import { runStep } from "./run-step.ts";

const GENERATED = "protos/gen";
const DESCRIPTOR = "descriptor.binpb";

const root = packageRoot();
const scratch = mkdtempSync(join(tmpdir(), "quorumq-generated-"));
try {
  const steps = [
    ["buf", "generate", "--output", scratch],
    ["buf", "build", "--output", join(scratch, GENERATED, DESCRIPTOR)],
  ];
  for (const words of steps) {
    const { code } = await runStep(words);
    if (code !== 0) throw new Error(`${words.slice(0, 2).join(" ")} failed with code ${code}`);
  }
  const differing = differences(join(root, GENERATED), join(scratch, GENERATED));
  // The document is made of the descriptor that is kept, which is compared above.
  const isDocumentKept = contentOf(join(root, "docs"), "openapi.json") === encoded(openApiText());
  for (const path of differing) process.stderr.write(`${GENERATED}/${path} is not up to date\n`);
  if (!isDocumentKept) process.stderr.write("docs/openapi.json is not up to date\n");
  const isUpToDate = differing.length === 0 && isDocumentKept;
  if (!isUpToDate) process.stderr.write("run `npm run gen`\n");
  process.exitCode = isUpToDate ? 0 : 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function differences(present: string, wanted: string): string[] {
  const paths = new Set([...filesOf(present), ...filesOf(wanted)]);
  return [...paths].filter((path) => contentOf(present, path) !== contentOf(wanted, path)).sort();
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

function contentOf(folder: string, path: string): string | null {
  try {
    return readFileSync(join(folder, path), "base64");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

function encoded(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}
