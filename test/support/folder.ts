// A temporary folder of a test's own, gone after the file's last test.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atEnd } from "./teardown.ts";

export function temporaryFolder(name: string): string {
  const path = mkdtempSync(join(tmpdir(), `quorumq-${name}-`));
  atEnd(() => rmSync(path, { recursive: true, force: true, maxRetries: 3 }));
  return path;
}
