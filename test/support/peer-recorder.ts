// A node's end of a peer link that remembers what it was told, and lets a test wait for it.

import { EventEmitter, once } from "node:events";
import type { AppendEntries, Message, NodeId, Snapshot } from "../../raft/message.ts";
import {
  type AmqpPeerLink,
  type AmqpPeerLinkOptions,
  openAmqpPeerLink,
} from "../../transport/amqp/amqp-peer-link.ts";
import type { Hello } from "../../transport/hello.ts";
import { memberId } from "../../transport/member-id.ts";
import type { PeerLinkListener } from "../../transport/peer-link.ts";
import { silentLogger } from "../../transport/telemetry/logger.ts";
import { entries } from "./log-entry.ts";
import { atEnd } from "./teardown.ts";

export class PeerRecorder implements PeerLinkListener {
  readonly messages: { readonly from: NodeId; readonly message: Message }[] = [];
  readonly hellos: { readonly from: NodeId; readonly hello: Hello }[] = [];
  readonly unreachables: NodeId[] = [];
  readonly writables: boolean[] = [];
  readonly #changes = new EventEmitter();

  received(from: NodeId, message: Message): void {
    this.messages.push({ from, message });
    this.#changes.emit("change");
  }

  hello(from: NodeId, hello: Hello): void {
    this.hellos.push({ from, hello });
    this.#changes.emit("change");
  }

  unreachable(peer: NodeId): void {
    this.unreachables.push(peer);
    this.#changes.emit("change");
  }

  writable(isWritable: boolean): void {
    this.writables.push(isWritable);
    this.#changes.emit("change");
  }

  /** Resolves when it holds, looked at after each thing that is told. */
  async until(holds: (recorder: PeerRecorder) => boolean): Promise<void> {
    while (!holds(this)) await once(this.#changes, "change");
  }

  async untilWritable(isWritable: boolean): Promise<void> {
    await this.until(({ writables }) => writables.at(-1) === isWritable);
  }

  /** Tells how often a message of this term came. */
  countOfTerm(term: number): number {
    return this.messages.filter(({ message }) => message.term === term).length;
  }
}

export interface RecordedLink {
  readonly link: AmqpPeerLink;
  readonly recorder: PeerRecorder;
}

export const N1 = memberId("n1", "00000001");
export const N2 = memberId("n2", "00000002");
export const N3 = memberId("n3", "00000003");
const NODES = [N1, N2, N3];

/** Opens a link without waiting for anything; closed at the end of the test file. */
export function recordedLink(
  options: Pick<AmqpPeerLinkOptions, "url" | "memberId"> & Partial<AmqpPeerLinkOptions>,
): RecordedLink {
  const recorder = new PeerRecorder();
  const link = openAmqpPeerLink({
    cluster: "test",
    incarnation: 1,
    peers: NODES.filter((id) => id !== options.memberId),
    listener: recorder,
    logger: silentLogger(),
    onIdentityLost: (error) => {
      throw error;
    },
    ...options,
  });
  atEnd(() => link.close());
  return { link, recorder };
}

/** Opens a link and waits until it can send. */
export async function openLink(options: Parameters<typeof recordedLink>[0]): Promise<RecordedLink> {
  const opened = recordedLink(options);
  await opened.link.claimed;
  await opened.recorder.untilWritable(true);
  return opened;
}

export function heartbeat(term: number): AppendEntries {
  return {
    kind: "append-entries",
    term,
    prevLogIndex: 0,
    prevLogTerm: 0,
    leaderCommit: 0,
    entries: [],
    round: 1,
  };
}

export function append(term: number, count = 2): AppendEntries {
  return { ...heartbeat(term), entries: entries(1, count, term) };
}

export function appendResult(term: number): Message {
  return {
    kind: "append-entries-result",
    term,
    success: true,
    matchIndex: 2,
    conflictTerm: 0,
    conflictIndex: 0,
    rejectedIndex: 0,
    round: 1,
  };
}

export function voteRequest(term: number): Message {
  return {
    kind: "request-vote",
    term,
    lastLogIndex: 0,
    lastLogTerm: 0,
    preVote: false,
    transfer: false,
  };
}

export function voteResult(term: number): Message {
  return { kind: "request-vote-result", term, voteGranted: true, preVote: false };
}

/** Of one voter and no entries, if nothing else is said. */
export function installSnapshot(term: number, changed: Partial<Snapshot> = {}): Message {
  const configuration = { voters: [N1], outgoing: [], learners: [] };
  const snapshot = { index: 1, term, configuration, bytes: 0, checksum: 0, ...changed };
  return { kind: "install-snapshot", term, snapshot, round: 1 };
}

export function snapshotRequest(term: number, offset: number, bytes: number): Message {
  return { kind: "snapshot-request", term, index: 1, snapshotTerm: term, offset, bytes };
}

export function snapshotChunk(term: number, offset: number, data: Uint8Array): Message {
  return { kind: "snapshot-chunk", term, index: 1, snapshotTerm: term, offset, data };
}
