// TailLog: the committed entries of the log, page by page, and what is committed later.
//
// Guarantees: every committed entry from the index asked for, in order, once; an index that is
// compacted, also while a slow reader is at it, is OUT_OF_RANGE instead of a gap. Without `follow`
// it ends with what was committed when it began. It keeps nothing: the reads are linearizable, and
// who is sent away goes on at another gateway behind the last index.
// Does not own: what an entry looks like (transport/log-entry.ts).

import type {
  TailLogRequest,
  TailLogResponse,
} from "../../protos/gen/quorumq/v1/cluster_service.ts";
import type { Call } from "../../transport/grpc/call.ts";
import { GATEWAY_TAILS_MAX } from "../../transport/limit.ts";
import type { PipelineError } from "../../transport/pipeline-error.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { refusal } from "../../transport/reason.ts";
import { pause, read, timeLeft } from "./ask.ts";
import { outcomeUnknown } from "./outcome.ts";

type TailHandler = (request: TailLogRequest, call: Call) => AsyncIterable<TailLogResponse>;

/** Between two reads of a log that has nothing new. */
const POLL_PAUSE_MS = 250;

export function tailHandler(quorum: Quorum): TailHandler {
  let tailCount = 0;
  return async function* tailLog(request, call) {
    if (tailCount >= GATEWAY_TAILS_MAX) {
      throw refusal("BACKLOG_FULL", `${GATEWAY_TAILS_MAX} callers read the log here already`, {
        metadata: { limit: String(GATEWAY_TAILS_MAX) },
      });
    }
    tailCount += 1;
    try {
      yield* tail(quorum, request, call);
    } finally {
      tailCount -= 1;
    }
  };
}

async function* tail(
  quorum: Quorum,
  { fromIndex, follow }: TailLogRequest,
  call: Call,
): AsyncGenerator<TailLogResponse> {
  const isEndless = !Number.isFinite(call.remainingMs());
  const wholeLeftMs = timeLeft(call);
  const signal = AbortSignal.any([call.signal, call.draining]);
  let nextIndex = fromIndex;
  let endIndex: number | null = null;
  for (;;) {
    signal.throwIfAborted();
    const leftMs = isEndless ? timeLeft(call) : wholeLeftMs;
    if (leftMs() <= 0) throw timeOver(nextIndex);
    const value = { fromIndex: nextIndex, entriesMax: 0 };
    const answer = await read(quorum, { read: { $case: "log", value } }, call, leftMs);
    const { entries, firstLogIndex } = answer;
    if (nextIndex > 0 && nextIndex < firstLogIndex) throw compacted(nextIndex, firstLogIndex);
    endIndex ??= answer.index;
    const last = entries.at(-1);
    if (last !== undefined) {
      yield { entries };
      nextIndex = last.index + 1;
    }
    if (!follow && (last === undefined || nextIndex > endIndex)) return;
    const isAtEnd = last === undefined || nextIndex > answer.index;
    if (isAtEnd) await pause({ signal }, leftMs, POLL_PAUSE_MS);
  }
}

function compacted(index: number, firstLogIndex: number): PipelineError {
  return refusal(
    "LOG_COMPACTED",
    `entry ${index} is compacted: the log begins with ${firstLogIndex}`,
    { metadata: { index: String(index), first_log_index: String(firstLogIndex) } },
  );
}

function timeOver(nextIndex: number): PipelineError {
  return outcomeUnknown("the log may go on", `read on from index ${nextIndex}`, {
    from_index: String(nextIndex),
  });
}
