// Effects, messages and nodes in the words of the golden scenarios.
//
// Guarantees: what is printed depends on fields alone, never on the wording of an error or a log,
// and everything that a scenario could be about is printed. An entry is index/term:command.
// Does not own: when something is printed (scenario-cluster.ts).

import type { Configuration } from "../../raft/configuration.ts";
import { type Effect, Role } from "../../raft/effect.ts";
import {
  type AppendEntriesResult,
  type Entry,
  EntryKind,
  type LogPosition,
  type Message,
  type NodeId,
  type Term,
} from "../../raft/message.ts";
import type { RaftNode } from "../../raft/node.ts";

type Persist = Extract<Effect, { kind: "persist" }>;

export function placeText({ index, term }: LogPosition): string {
  return `${index}/${term}`;
}

export function configurationText({ voters, outgoing, learners }: Configuration): string {
  const set = (ids: readonly NodeId[]): string => `(${ids.join(" ")})`;
  const joint = outgoing.length > 0 ? `&${set(outgoing)}` : "";
  return `voters=${set(voters)}${joint}${learners.length > 0 ? ` learners=${set(learners)}` : ""}`;
}

export function entryText(entry: Entry): string {
  const text = new TextDecoder().decode(entry.data);
  if (entry.kind === EntryKind.NoOp) return `${placeText(entry)}:no-op`;
  if (entry.kind === EntryKind.Command) return `${placeText(entry)}:${text}`;
  return `${placeText(entry)}:{${configurationText(JSON.parse(text) as Configuration)}}`;
}

function entriesText(entries: readonly Entry[]): string {
  return entries.map((entry) => ` ${entryText(entry)}`).join("");
}

/** The word for a message, by which a scenario picks one. */
export function messageWord(message: Message): string {
  switch (message.kind) {
    case "request-vote":
      return message.preVote ? "pre-vote?" : "vote?";
    case "request-vote-result":
      return message.preVote ? "pre-vote" : "vote";
    case "append-entries":
      return message.entries.length > 0 ? "append" : "heartbeat";
    case "append-entries-result":
      return message.success ? "ack" : "reject";
    case "timeout-now":
      return "timeout-now";
    case "install-snapshot":
      return "offer";
    case "snapshot-request":
      return "chunk?";
    case "snapshot-chunk":
      return "chunk";
    case "read-index":
      return "read?";
    case "read-index-result":
      return "read";
  }
}

export function messageText(message: Message): string {
  return `${messageWord(message)} term=${message.term}${messageFields(message)}`;
}

function messageFields(message: Message): string {
  switch (message.kind) {
    case "request-vote":
      return ` last=${message.lastLogIndex}/${message.lastLogTerm}${
        message.transfer ? " transfer" : ""
      }`;
    case "request-vote-result":
      return message.voteGranted ? " yes" : " no";
    case "append-entries": {
      const { prevLogIndex, prevLogTerm, leaderCommit, round, entries } = message;
      const head = ` prev=${prevLogIndex}/${prevLogTerm} commit=${leaderCommit} round=${round}`;
      return `${head}${entriesText(entries)}`;
    }
    case "append-entries-result":
      return resultFields(message);
    case "timeout-now":
      return "";
    case "install-snapshot": {
      const { snapshot, round } = message;
      return ` snapshot=${placeText(snapshot)} bytes=${snapshot.bytes} round=${round}`;
    }
    case "snapshot-request":
    case "snapshot-chunk": {
      const { index, snapshotTerm, offset } = message;
      return ` snapshot=${index}/${snapshotTerm} offset=${offset}`;
    }
    case "read-index":
      return ` r${message.readId}`;
    case "read-index-result":
      return ` r${message.readId} at=${message.readIndex}`;
  }
}

function resultFields(message: AppendEntriesResult): string {
  const { success, matchIndex, round, rejectedIndex, conflictIndex, conflictTerm } = message;
  if (success) return ` match=${matchIndex} round=${round}`;
  if (conflictIndex === 0) return ` blank round=${round}`;
  // To a leader of an old term: it says nothing but the new one.
  if (rejectedIndex === 0) return "";
  return ` prev=${rejectedIndex} conflict=${conflictIndex}/${conflictTerm} round=${round}`;
}

function roleText(role: Role, term: Term, leader: NodeId | null): string {
  const of = leader !== null && role === Role.Follower ? ` of ${leader}` : "";
  return `${role}${of} in term ${term}`;
}

function writeText(write: Persist): string {
  const { hardState, truncateFrom, snapshot, compactTo, entries } = write;
  const parts: string[] = [];
  if (hardState !== undefined) {
    parts.push(`term=${hardState.currentTerm} vote=${hardState.votedFor ?? "-"}`);
  }
  if (truncateFrom !== undefined) parts.push(`cut from ${truncateFrom}`);
  if (snapshot !== undefined) parts.push(`snapshot ${placeText(snapshot)}`);
  if (compactTo !== undefined) parts.push(`drop up to ${placeText(compactTo)}`);
  if (entries.length > 0) parts.push(`add${entriesText(entries)}`);
  return `writes #${write.writeId}: ${parts.join(", ")}`;
}

/** Without the node that asks for it. */
export function effectText(effect: Effect): string {
  switch (effect.kind) {
    case "persist":
      return writeText(effect);
    case "send": {
      const { to, message, afterWriteId } = effect;
      return `-> ${to} ${messageText(message)}${afterWriteId > 0 ? ` after #${afterWriteId}` : ""}`;
    }
    case "apply":
      return `applies${entriesText(effect.entries)}`;
    case "appended":
      return `answers r${effect.requestId}: appended at ${placeText(effect)}`;
    case "refused": {
      const leader = effect.leader === null ? "" : `, leader ${effect.leader}`;
      return `answers r${effect.requestId}: refused, ${effect.reason}${leader}`;
    }
    case "read-ready":
      return `answers r${effect.requestId}: read at ${effect.readIndex}`;
    case "role-changed": {
      const { role, term, leader } = effect;
      return `is ${roleText(role, term, leader)}`;
    }
    case "configuration-changed":
      return `adopts ${configurationText(effect.configuration)}`;
    case "transfer-aborted":
      return `answers r${effect.requestId}: transfer aborted`;
    case "snapshot-wanted":
      return "wants a snapshot";
    case "load-chunk":
      return `-> ${effect.to} ${messageText({ ...effect.message, data: new Uint8Array(0) })}`;
    case "stage-chunk": {
      const { snapshot, offset, data } = effect;
      return `stages ${placeText(snapshot)} offset=${offset} bytes=${data.length}`;
    }
    case "verify":
      return `verifies ${placeText(effect.snapshot)}`;
    case "restore":
      return `restores ${placeText(effect.snapshot)}`;
  }
}

/** What clients and operators see: the transcript of `settle` shows no more than this. */
export function isOutcome({ kind }: Effect): boolean {
  return !["persist", "send", "load-chunk", "stage-chunk", "verify"].includes(kind);
}

/** What is as far as it can be is left out. */
export function statusText(node: RaftNode): string {
  const { role, currentTerm, leader, votedFor, commitIndex, lastApplied, log, outbox } = node;
  const fields = [
    `commit=${commitIndex}`,
    `last=${placeText({ index: log.lastIndex, term: log.lastTerm })}`,
  ];
  if (votedFor !== null) fields.push(`vote=${votedFor}`);
  if (lastApplied < commitIndex) fields.push(`applied=${lastApplied}`);
  if (outbox.durableIndex < log.lastIndex) fields.push(`durable=${outbox.durableIndex}`);
  if (log.offset.index > 0) fields.push(`compacted=${placeText(log.offset)}`);
  if (node.snapshot !== null && node.snapshot.index > 0) {
    fields.push(`snapshot=${placeText(node.snapshot)}`);
  }
  return `${roleText(role, currentTerm, leader)}: ${fields.join(" ")}`;
}

export function logText({ log }: RaftNode): string {
  const head = log.offset.index > 0 ? `[${placeText(log.offset)}]` : "";
  return `log${head}${entriesText(log.range(log.firstIndex, log.lastIndex + 1))}`;
}

export function progressText(node: RaftNode): string[] {
  return [...(node.leading?.peers ?? [])].map(([peer, progress]) => {
    const { mode, matchIndex, nextIndex, inflight, offered, isUnreachable } = progress;
    const fields = [`match=${matchIndex}`, `next=${nextIndex}`];
    if (inflight.length > 0) fields.push(`out=${inflight.length}`);
    if (offered !== null) fields.push(`offered=${placeText(offered)}`);
    if (isUnreachable) fields.push("unreachable");
    return `${peer}: ${mode} ${fields.join(" ")}`;
  });
}
