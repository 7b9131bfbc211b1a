// What `quorumq health` says of the process next to it, by the file that this one keeps.

import { readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { ExitCode } from "../../../deploy/exit-code.ts";
import { checkHealth } from "../../../deploy/health.ts";
import { keepHealthFile, readHealthFile } from "../../../deploy/health-file.ts";
import type { Config } from "../../../deploy/settings.ts";
import { temporaryFolder } from "../../support/folder.ts";

const WORKER = { role: "worker", id: "w1", ports: {} };
const folder = temporaryFolder("health");

function checked(path: string): Promise<ExitCode> {
  return checkHealth({ healthFile: path, address: "127.0.0.1:1" } as Config);
}

test("a worker that takes jobs is well; one that takes none is not, although its loop turns", async () => {
  const well = join(folder, "well");
  const kept = keepHealthFile(well, WORKER, () => null);
  expect(await checked(well)).toBe(ExitCode.Ok);
  kept.remove();
  expect(await checked(well)).toBe(ExitCode.Unreachable);

  const idle = join(folder, "idle");
  const { remove } = keepHealthFile(idle, WORKER, () => "no leader is known");
  expect(readHealthFile(idle, Date.now())?.problem).toBe("no leader is known");
  expect(await checked(idle)).toBe(ExitCode.NoQuorum);
  remove();
});

test("a file that nobody has kept fresh does not count, whatever it says", async () => {
  const path = join(folder, "stale");
  const { remove } = keepHealthFile(path, WORKER);
  expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ id: "w1", problem: null });
  utimesSync(path, new Date(0), new Date(0));
  expect(await checked(path)).toBe(ExitCode.Unreachable);
  remove();
});
