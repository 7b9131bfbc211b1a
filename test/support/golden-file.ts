// A golden scenario: comments, and blocks of commands, a line ----, and what is seen of them.
//
// Guarantees: running a file gives the file as it should be, comments and commands untouched, so
// that a test compares it as a whole and an update writes it back.
// Does not own: the commands (scenario-command.ts).

import { ScenarioCluster } from "./scenario-cluster.ts";
import { runCommand } from "./scenario-command.ts";

const DIVIDER = "----";

/** The text with the outputs of today. */
export function runGolden(text: string): string {
  const cluster = new ScenarioCluster();
  const output: string[] = [];
  let isExpected = false;
  for (const line of text.replace(/\n*$/, "\n").split("\n").slice(0, -1)) {
    if (isExpected) {
      // What was seen then; up to the next empty line.
      isExpected = line !== "";
      if (!isExpected) output.push("");
    } else if (line === DIVIDER) {
      output.push(DIVIDER, ...cluster.lines);
      cluster.lines = [];
      isExpected = true;
    } else {
      output.push(line);
      if (line !== "" && !line.startsWith("#")) run(cluster, line);
    }
  }
  return `${output.join("\n")}\n`;
}

function run(cluster: ScenarioCluster, line: string): void {
  try {
    runCommand(cluster, line);
  } catch (error) {
    throw new Error(`at: ${line}\n${cluster.lines.join("\n")}`, { cause: error });
  }
}
