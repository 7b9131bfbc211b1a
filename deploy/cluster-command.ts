// The commands that see and steer the quorum: cluster status, add, remove, transfer, snapshot,
// verify.
//
// Guarantees: the answer goes to stdout in the form asked for, progress and questions to stderr.
// What takes a node away asks before. `verify` ends with 1 unless all nodes agree.
// Does not own: how an answer looks (cluster-output.ts); refusals, which are thrown (exit-code.ts).

import type { Ask, AskCommand } from "./ask.ts";
import { printCluster, printLeader, printNodes, printSnapshot } from "./cluster-output.ts";
import { confirm } from "./confirm.ts";
import { ExitCode } from "./exit-code.ts";
import { printComparison } from "./ledger-output.ts";
import { untilChanged } from "./membership-wait.ts";

export const CLUSTER_COMMANDS = {
  status,
  add,
  remove,
  transfer,
  snapshot,
  verify,
} as const satisfies Readonly<Record<string, AskCommand>>;

async function status({ connection, form, timeoutMs }: Ask): Promise<ExitCode> {
  printCluster(await connection.cluster.getCluster({}, { timeoutMs: timeoutMs() }), form);
  return ExitCode.Ok;
}

async function add(ask: Ask): Promise<ExitCode> {
  const { connection, options, words, form, timeoutMs } = ask;
  await connection.cluster.addNode({ nodeIds: [...words] }, { timeoutMs: timeoutMs() });
  if (options["wait"] !== false) await untilChanged(ask, words, "voters");
  printNodes(words, options["wait"] === false ? "learner" : "voter", form);
  return ExitCode.Ok;
}

async function remove(ask: Ask): Promise<ExitCode> {
  const { connection, options, words, form, timeoutMs } = ask;
  const question = `This takes ${words.join(", ")} out of the quorum.`;
  await confirm(question, options["yes"] === true);
  await connection.cluster.removeNode({ nodeIds: [...words] }, { timeoutMs: timeoutMs() });
  if (options["wait"] !== false) await untilChanged(ask, words, "gone");
  printNodes(words, options["wait"] === false ? "leaving" : "removed", form);
  return ExitCode.Ok;
}

async function transfer({ connection, words, form, timeoutMs }: Ask): Promise<ExitCode> {
  const { leaderId } = await connection.cluster.transferLeadership(
    { nodeId: words[0] ?? "" },
    { timeoutMs: timeoutMs() },
  );
  printLeader(leaderId, form);
  return ExitCode.Ok;
}

async function snapshot({ connection, form, timeoutMs }: Ask): Promise<ExitCode> {
  printSnapshot(await connection.cluster.takeSnapshot({}, { timeoutMs: timeoutMs() }), form);
  return ExitCode.Ok;
}

async function verify({ connection, form, timeoutMs }: Ask): Promise<ExitCode> {
  const compared = await connection.cluster.verifyLedger({}, { timeoutMs: timeoutMs() });
  return printComparison(compared, form) ? ExitCode.Ok : ExitCode.Internal;
}
