// Spans whose parent travels as a W3C traceparent: through gRPC metadata, AMQP calls, log entries
// and BullMQ jobs.
//
// Guarantees: "" as parent gives no span at all, so what nobody traces costs nothing, and no span
// is ever an orphan or an accidental root. Times may be given, for spans known only afterwards.
// Does not own: the SDK (sdk.ts). Without it every span here is the API's no-op.

import {
  type Attributes,
  context,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type TimeInput,
  TraceFlags,
  trace,
} from "@opentelemetry/api";

export type { Attributes, Span };
export { SpanKind, SpanStatusCode };

const TRACER_NAME = "quorumq";
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

export interface SpanStart {
  readonly name: string;
  readonly kind: SpanKind;
  /** W3C traceparent, or "". */
  readonly parent: string;
  readonly attributes?: Attributes;
  readonly startTime?: TimeInput;
}

/** True when spans under this parent would be recorded. */
export function isTraced(traceparent: string): boolean {
  const match = TRACEPARENT.exec(traceparent);
  return match !== null && (Number.parseInt(match[3] ?? "0", 16) & TraceFlags.SAMPLED) !== 0;
}

/** The trace id of a traceparent, or "". */
export function traceIdOf(traceparent: string): string {
  return TRACEPARENT.exec(traceparent)?.[1] ?? "";
}

/** A child of `parent`; when that is not sampled, a span that records nothing but passes it on. */
export function startSpan(start: SpanStart): Span {
  const match = TRACEPARENT.exec(start.parent);
  const [, traceId, spanId, flags] = match ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) {
    return trace.wrapSpanContext({ traceId: "", spanId: "", traceFlags: TraceFlags.NONE });
  }
  const remote = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  // Asking the SDK for a span that it drops costs a worker a twenty-fifth of its time.
  if ((remote.traceFlags & TraceFlags.SAMPLED) === 0) return trace.wrapSpanContext(remote);
  const parent = trace.setSpanContext(ROOT_CONTEXT, remote);
  return trace.getTracer(TRACER_NAME).startSpan(
    start.name,
    {
      kind: start.kind,
      ...(start.attributes === undefined ? {} : { attributes: start.attributes }),
      ...(start.startTime === undefined ? {} : { startTime: start.startTime }),
    },
    parent,
  );
}

/** A new trace: for calls that come in without one. */
export function startRootSpan(
  start: Omit<SpanStart, "parent"> & {
    /** The traceparent of what it follows from without being part of it, or "". */
    readonly link?: string;
  },
): Span {
  const linked = sampledContextOf(start.link ?? "");
  return trace.getTracer(TRACER_NAME).startSpan(
    start.name,
    {
      kind: start.kind,
      root: true,
      ...(linked === null ? {} : { links: [{ context: linked }] }),
      ...(start.attributes === undefined ? {} : { attributes: start.attributes }),
      ...(start.startTime === undefined ? {} : { startTime: start.startTime }),
    },
    ROOT_CONTEXT,
  );
}

/** null: there is nothing to be found under it. */
function sampledContextOf(traceparent: string): SpanContext | null {
  const [, traceId, spanId] = TRACEPARENT.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || !isTraced(traceparent)) return null;
  return { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
}

/** The span as a parent for others, or "" if it records nothing and came from nowhere. */
export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  if (!/^[0-9a-f]{32}$/.test(traceId) || /^0+$/.test(traceId)) return "";
  return `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, "0")}`;
}

/** Runs the function with this span active, so that spans of the user's own code nest under it. */
export function runInSpan<T>(span: Span, run: () => T): T {
  return context.with(trace.setSpan(context.active(), span), run);
}

/** Marks the span as failed. `type` is a stable word, `message` for people. */
export function failSpan(span: Span, type: string, message: string): void {
  span.setAttribute("error.type", type);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}
