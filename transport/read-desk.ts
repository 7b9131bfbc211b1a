// Answers the reads whose index this node has applied.
//
// Guarantees: a read is answered from one moment of ledger, log and core. A ledger's reads are
// answered wherever the leader has confirmed them; the cluster and the log are read where it leads.
// Does not own: when a read may be answered (open-calls.ts, raft/read.ts), what with (read-server).

import type { Ledger } from "../ledger/ledger.ts";
import type { Answer } from "../protos/gen/node/v1/exchange.ts";
import type { LogIndex, NodeId } from "../raft/message.ts";
import type { RaftNode } from "../raft/node.ts";
import { clusterView, logSourceOf } from "./cluster-view.ts";
import type { OpenCalls } from "./open-calls.ts";
import { answerRead } from "./read-server.ts";

export interface ReadDeskOptions {
  readonly cluster: string;
  readonly node: RaftNode;
  readonly calls: OpenCalls;
  readonly waitingNames: () => readonly string[];
  readonly incarnationOf: (id: NodeId) => number;
  readonly answer: (replyTo: string, answer: Answer) => void;
}

export class ReadDesk {
  readonly #options: ReadDeskOptions;

  constructor(options: ReadDeskOptions) {
    this.#options = options;
  }

  serve(ledger: Ledger, lastApplied: LogIndex): void {
    const { cluster, node, calls, waitingNames, incarnationOf, answer } = this.#options;
    for (const { read, replyTo, callId } of calls.takeReadable(lastApplied)) {
      const isOfCluster = read.read?.$case === "cluster";
      const view = isOfCluster
        ? clusterView({
            cluster,
            node,
            ledger,
            lastApplied,
            waitingNames: waitingNames(),
            incarnationOf,
          })
        : undefined;
      const value = answerRead(ledger, read, lastApplied, view, logSourceOf(node));
      answer(replyTo, { callId, answer: { $case: "read", value } });
    }
  }
}
