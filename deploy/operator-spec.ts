// The operator's commands: cluster … and ledger …, their words and options.
//
// Guarantees: what takes something away has --yes, and needs it when nobody can be asked.
// Does not own: what the commands do (cluster-command.ts, log-tail.ts, ledger-command.ts).

import { Option } from "commander";
import type { AskCommand } from "./ask.ts";
import { asking, natural, output, type Spec, timeout } from "./command-spec.ts";
import { UsageError } from "./exit-code.ts";

/** A new node may have a large snapshot to fetch first. */
const ADD_TIMEOUT_SECONDS = 600;

type ClusterCommand = "status" | "add" | "remove" | "transfer" | "snapshot" | "verify";

function loading(name: ClusterCommand): () => Promise<AskCommand> {
  return async () => (await import("./cluster-command.ts")).CLUSTER_COMMANDS[name];
}

function cluster(
  name: ClusterCommand,
  words: string,
  help: string,
  options: readonly Option[],
): Spec {
  return asking({ group: "cluster", words, help, options }, loading(name));
}

const noWait = (): Option => new Option("--no-wait", "do not wait until the change is over");

const STATUS_HELP = "show the quorum: its nodes, how far each is, and the ledger's counters";

export const OPERATOR_SPECS: readonly Spec[] = [
  asking(
    { words: "status", help: "the same as cluster status", options: [output(), timeout()] },
    loading("status"),
  ),
  cluster("status", "status", STATUS_HELP, [output(), timeout()]),
  cluster("add", "add <id...>", "take nodes in that wait to join, all together or none", [
    ...[output(), timeout(ADD_TIMEOUT_SECONDS), noWait()],
  ]),
  cluster("remove", "remove <id...>", "take nodes out of the quorum, all together or none", [
    ...[output(), timeout(), noWait()],
    new Option("-y, --yes", "do not ask"),
  ]),
  cluster(
    "transfer",
    "transfer [id]",
    "hand leadership to this node, or to the one that is furthest",
    [...[output(), timeout()]],
  ),
  cluster("snapshot", "snapshot", "take a snapshot now: the log before it may go", [
    ...[output(), timeout()],
  ]),
  cluster("verify", "verify", "the same as ledger verify, of the nodes that run", [
    ...[output(), timeout()],
  ]),
  asking(
    {
      group: "ledger",
      words: "tail",
      help: "show the committed entries of the log, without payloads and results",
      options: [
        output(),
        new Option("--from <index>", "begin with this entry (default: the oldest)").argParser(
          natural,
        ),
        new Option("-f, --follow", "go on with what is committed later"),
      ],
    },
    async () => (await import("./log-tail.ts")).tailLog,
  ),
  {
    group: "ledger",
    words: "verify",
    help: "build the ledger of every node anew from its disk, and compare; exit 1 if they differ",
    settings: ["address"],
    options: [
      output(),
      timeout(),
      new Option("--data-dir <folder>", "instead: check one node's files, which must not run"),
      new Option("--to <index>", "with --data-dir: stop at this entry").argParser(natural),
    ],
    action: async ({ address }, options, words) => {
      const { askGateway, formOf } = await import("./ask.ts");
      const { dataDir, to } = options;
      if (dataDir === undefined) {
        if (to !== undefined) throw new UsageError("--to is of use only with --data-dir");
        return askGateway(await loading("verify")(), address, options, words);
      }
      const { verifyFiles } = await import("./ledger-command.ts");
      const toIndex = to === undefined ? Number.POSITIVE_INFINITY : Number(to);
      return verifyFiles(String(dataDir), toIndex, formOf(options));
    },
  },
];
