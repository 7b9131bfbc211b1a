// Formation on a running node: hellos in and out, founding, and who waits to join.
//
// Guarantees: founding goes through the core, as one more write to the log's store; the node counts
// as formed only when that has happened. One that the cluster has removed says so in its log.
// Does not own: the rules (formation.ts).

import { performance } from "node:perf_hooks";
import { isMember, membersOf } from "../raft/configuration.ts";
import type { NodeId } from "../raft/message.ts";
import { isBlank, type RaftNode } from "../raft/node.ts";
import { Formation, type FormationOutput, type Formed } from "./formation.ts";
import type { Checkpoint, Hello } from "./hello.ts";
import type { Logger } from "./telemetry/logger.ts";

export interface FormationDeskOptions {
  readonly node: RaftNode;
  readonly founders: readonly string[];
  readonly mayFound: boolean;
  readonly found: (members: readonly NodeId[]) => void;
  readonly joining: (memberId: NodeId) => void;
  readonly send: (toName: string, hello: Hello) => void;
  readonly logger: Logger;
}

export class FormationDesk {
  readonly #options: FormationDeskOptions;
  readonly #formation: Formation;

  constructor(options: FormationDeskOptions) {
    this.#options = options;
    const { node, founders, mayFound } = options;
    const formed = isBlank(node) ? null : formedOf(node);
    this.#formation = new Formation({ memberId: node.id, founders, mayFound, formed });
    this.#tellIfLeftOut();
  }

  memberIds(): readonly NodeId[] {
    return membersOf(this.#options.node.configuration);
  }

  tick(): void {
    this.#carryOut(this.#formation.tick(performance.now()));
  }

  received(from: NodeId, hello: Hello): void {
    this.#carryOut(this.#formation.received(from, hello));
  }

  /** The core has another configuration. */
  changed(): void {
    const { node } = this.#options;
    if (isBlank(node)) return;
    this.#carryOut(this.#formation.formed(formedOf(node)));
    this.#tellIfLeftOut();
  }

  /** To the leader, outside of Raft. */
  tell(toName: string, checkpoint: Checkpoint): void {
    const { founders, mayFound, node } = this.#options;
    const hello = { isFormed: true, mayFound, members: [], founding: [], founders, checkpoint };
    if (!isBlank(node)) this.#options.send(toName, { ...hello, members: this.memberIds() });
  }

  /** A node that was removed hears nothing any more, and would wait without a word. */
  #tellIfLeftOut(): void {
    const { node, logger } = this.#options;
    if (isBlank(node) || isMember(node.configuration, node.id)) return;
    const members = this.memberIds();
    logger.warn(
      { members },
      "removed from the cluster: it takes this node in on an empty disk only",
    );
  }

  #carryOut(outputs: readonly FormationOutput[]): void {
    const { found, joining, send, logger } = this.#options;
    for (const output of outputs) {
      switch (output.kind) {
        case "send":
          send(output.toName, output.hello);
          break;
        case "found":
          logger.info({ members: output.members }, "a new cluster is founded");
          found(output.members);
          break;
        case "joining":
          joining(output.memberId);
          break;
        case "waiting":
          logger.info({ reason: output.reason, nodes: output.names }, "waiting for a cluster");
          break;
      }
    }
  }
}

function formedOf({ snapshot, configuration }: RaftNode): Formed {
  const founding = snapshot?.index === 0 ? snapshot.configuration.voters : [];
  return { members: membersOf(configuration), founding };
}
