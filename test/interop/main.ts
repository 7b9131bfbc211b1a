// `npm run interop`: prepares the languages that this machine has, then runs their tests.
//
//   npm run interop [-- <jest argument …>]
//
// Guarantees: a language that cannot be prepared is named with the reason, and its tests are left
// out; the exit code is that of the tests.

import { join } from "node:path";
import { packageRoot } from "../../deploy/package-root.ts";
import { runStep } from "../../deploy/run-step.ts";
import { TOOLCHAINS } from "./toolchain.ts";

for (const toolchain of TOOLCHAINS) {
  say(`${toolchain.language}: fetching packages and making stubs …`);
  try {
    await toolchain.prepare();
  } catch (error) {
    say(`${toolchain.language} cannot be prepared, its tests are left out: ${String(error)}`);
  }
}
const jest = join(packageRoot(), "node_modules", "jest", "bin", "jest.js");
const options = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];
const words = process.argv.slice(2);
const { code } = await runStep(["node", ...options, jest, "test/interop", "-i", ...words]);
process.exitCode = code;

function say(line: string): void {
  process.stderr.write(`interop: ${line}\n`);
}
