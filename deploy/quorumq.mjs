#!/usr/bin/env node
// The `quorumq` command: finds a Node that is new enough and runs the CLI under it.
//
// Guarantees: in a checkout the TypeScript sources run as they are; in an installed package, where
// there are none, the built ones. With an old Node the one that was installed next to this
// package is used; without either, one message says what is needed.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const NODE_MIN = [24, 11, 1];
const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCE = join(HERE, "cli.ts");
const BUILT = join(HERE, "..", "dist", "deploy", "cli.js");

// Node strips no types under node_modules, so sources that lie there cannot run.
const isCheckout = existsSync(SOURCE) && !HERE.split(/[\\/]/).includes("node_modules");
const entry = isCheckout ? SOURCE : BUILT;

if (isNewEnough(process.versions.node)) {
  process.argv[1] = entry;
  const cli = await import(pathToFileURL(entry).href);
  await cli.main(process.argv.slice(2));
} else {
  const node = findNode();
  if (node === null) {
    process.stderr.write(
      `quorumq: Node ${NODE_MIN.join(".")} or newer is needed; this is ${process.version}\n`,
    );
    process.exit(2);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) {
    process.on(signal, () => child.kill(signal));
  }
  child.on("exit", (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });
}

/** The `node` package of this package, or of the project that it is installed in. */
function findNode() {
  const candidates = [
    join(HERE, "..", "node_modules", "node", "bin", "node"),
    join(HERE, "..", "..", "node", "bin", "node"),
  ];
  return candidates.find((path) => existsSync(path)) ?? null;
}

function isNewEnough(version) {
  const parts = version.split(".").map(Number);
  const different = NODE_MIN.findIndex((wanted, at) => parts[at] !== wanted);
  return different === -1 || parts[different] > NODE_MIN[different];
}
