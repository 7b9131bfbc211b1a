// The spans of replication: a command's way through the leader, an entry's to a follower's disk.
//
// Guarantees: only what somebody traces gets a span; heartbeats and the node's own commands have
// none.

import type { Entry, NodeId, Term } from "../raft/message.ts";
import { AttributeName, SpanName } from "./telemetry/name.ts";
import { isTraced, type Span, SpanKind, startSpan } from "./telemetry/trace.ts";

/** On the leader: from taking a command to having applied it. */
export function startCommitSpan(
  nodeId: NodeId,
  term: Term,
  traceparent: string,
  command: string,
): Span | null {
  if (!isTraced(traceparent)) return null;
  return startSpan({
    name: SpanName.RaftCommit,
    kind: SpanKind.INTERNAL,
    parent: traceparent,
    attributes: {
      [AttributeName.RaftNode]: nodeId,
      [AttributeName.RaftTerm]: term,
      [AttributeName.Command]: command,
    },
  });
}

/** On a follower: one a traced entry, from having received it to having it on disk. */
export function startAppendSpans(nodeId: NodeId, entries: readonly Entry[]): readonly Span[] {
  const spans: Span[] = [];
  for (const entry of entries) {
    if (!isTraced(entry.traceparent)) continue;
    spans.push(
      startSpan({
        name: SpanName.RaftAppend,
        kind: SpanKind.INTERNAL,
        parent: entry.traceparent,
        attributes: {
          [AttributeName.RaftNode]: nodeId,
          [AttributeName.RaftTerm]: entry.term,
          [AttributeName.RaftIndex]: entry.index,
        },
      }),
    );
  }
  return spans;
}
