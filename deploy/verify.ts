// `npm run verify`: everything that must hold before a change is taken. `--no-test` leaves the
// tests out, for who has just run them.
//
// Guarantees: changes no file that git knows. All steps run, also after one has failed, and the
// end tells which did. `npm run fix` is the one that writes.

import { parseArgs } from "node:util";
import { ExitCode } from "./exit-code.ts";
import { runStep } from "./run-step.ts";

interface Step {
  readonly name: string;
  readonly words: readonly string[];
}

/** Not the public greeting contract nor Google's, which are kept as published. */
const OWN_PROTOS = ["quorumq", "ledger", "raft", "node"].flatMap((folder) => [
  "--path",
  `protos/${folder}`,
]);

const STEPS: readonly Step[] = [
  { name: "format and lint", words: ["biome", "ci", "."] },
  { name: "types", words: ["tsc", "--project", "."] },
  { name: "protos: lint", words: ["buf", "lint"] },
  { name: "protos: format", words: ["buf", "format", "--diff", "--exit-code", ...OWN_PROTOS] },
  { name: "protos: generated code", words: ["node", "deploy/check-generated.ts"] },
  { name: "build", words: ["node", "deploy/build.ts"] },
  { name: "build: runs", words: ["node", "dist/deploy/cli.js", "version"] },
];
const TEST: Step = {
  name: "tests",
  words: [
    ...["node", "--experimental-vm-modules", "--disable-warning=ExperimentalWarning"],
    "node_modules/jest/bin/jest.js",
  ],
};

const { values } = parseArgs({ options: { "no-test": { type: "boolean", default: false } } });
const failed: string[] = [];
for (const { name, words } of values["no-test"] ? STEPS : [...STEPS, TEST]) {
  say(`— ${name}`);
  const { code, seconds } = await runStep(words);
  say(`  ${code === 0 ? "ok" : `FAILED with code ${code}`} after ${seconds.toFixed(1)} s`);
  if (code !== 0) failed.push(name);
}
say(failed.length === 0 ? "all is well" : `failed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? ExitCode.Ok : ExitCode.Internal;

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
