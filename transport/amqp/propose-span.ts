// The PRODUCER span of a proposal: from asking the quorum to knowing the outcome.
//
// Guarantees: all sendings of one call are in one span, each repetition an event of it; no span
// without a caller's. The leader's span is its child (Call.traceparent).

import type { CallEnd } from "../client-calls.ts";
import { AttributeName, SpanName } from "../telemetry/name.ts";
import { failSpan, type Span, SpanKind, startSpan } from "../telemetry/trace.ts";

export function startProposeSpan(
  parent: string,
  destination: string,
  command: string,
): Span | null {
  if (parent === "") return null;
  return startSpan({
    name: SpanName.Propose,
    kind: SpanKind.PRODUCER,
    parent,
    attributes: {
      [AttributeName.MessagingSystem]: "rabbitmq",
      [AttributeName.MessagingDestination]: destination,
      [AttributeName.MessagingOperationType]: "send",
      [AttributeName.MessagingOperationName]: "publish",
      [AttributeName.Command]: command,
    },
  });
}

export function endProposeSpan(span: Span, end: CallEnd): void {
  if (end.kind === "unavailable") failSpan(span, end.reason, "no leader took the command");
  else if (end.kind === "unknown") failSpan(span, end.kind, "no answer in time");
  else if (end.kind === "malformed") failSpan(span, end.kind, "the leader cannot read the command");
  span.end();
}
