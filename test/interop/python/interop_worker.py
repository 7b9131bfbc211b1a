"""The example worker with handlers for the tests: interop_worker.py ADDRESS ID QUEUE LEASE"""

import signal
import sys

from quorumq.v1 import worker_service_pb2 as pb
from resuming_worker import NonRetryable, Worker, count_words


def double(number, _attempt):
    return number * 2


def fail_twice(_nothing, attempt):
    if attempt.start.attempt < 3:
        raise ValueError(f"attempt {attempt.start.attempt} fails")
    return {"attempt": attempt.start.attempt}


def refuse(_nothing, _attempt):
    raise NonRetryable("not ever")


def linger(_nothing, attempt):
    """Runs until it is told to stop."""
    attempt.aborted.wait()
    raise RuntimeError("stopped")


def outlive(_nothing, attempt):
    """Never ends at the first attempt, whose worker is killed."""
    attempt.progress = {"attempt": attempt.start.attempt}
    attempt.logs.put(f"attempt {attempt.start.attempt} runs")
    if attempt.start.attempt == 1:
        attempt.aborted.wait()
    return {"attempt": attempt.start.attempt, "worker": WORKER_ID}


def pause(seconds, attempt):
    attempt.aborted.wait(seconds)
    return {"aborted": attempt.aborted.is_set(), "token": attempt.start.token}


ADDRESS, WORKER_ID, QUEUE, LEASE_SECONDS = sys.argv[1:]
HANDLERS = {
    f"{QUEUE}-count-words": count_words,
    f"{QUEUE}-double": double,
    f"{QUEUE}-fail-twice": fail_twice,
    f"{QUEUE}-refuse": refuse,
    f"{QUEUE}-linger": linger,
    f"{QUEUE}-outlive": outlive,
    f"{QUEUE}-pause": pause,
}
KINDS = [pb.WorkerKind(kind=kind, queue=QUEUE, max_attempts=3) for kind in HANDLERS]
for kind in KINDS:
    kind.backoff.initial.FromMilliseconds(50)
    kind.backoff.max.FromMilliseconds(50)


class Talking(Worker):
    """Says what comes, so that a test can await it."""

    def take(self, kind, message, requests):
        super().take(kind, message, requests)
        if kind == "welcome":
            print(kind, flush=True)
        elif kind in ("start", "abort", "finished", "fenced"):
            print(kind, message.job_id, message.token, flush=True)


worker = Talking(ADDRESS, WORKER_ID, KINDS, HANDLERS, 4, float(LEASE_SECONDS))
signal.signal(signal.SIGTERM, lambda *_: worker.drain())
worker.run()
print("drained", flush=True)
