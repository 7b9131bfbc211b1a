r"""A quorumq worker in Python, with nothing but grpcio and the stubs made from protos/:

    pip install grpcio grpcio-tools
    mkdir stubs
    python -m grpc_tools.protoc -I protos --python_out=stubs --grpc_python_out=stubs \
        protos/quorumq/v1/*.proto
    PYTHONPATH=stubs python workers/examples/python/resuming_worker.py 127.0.0.1:50051 python-1

Copy it and write your own handlers. What the messages mean: docs/worker-protocol.md. worker.py
beside it is the shorter one: this one survives its gateway, and tells progress and log lines.
"""

import json
import queue
import signal
import sys
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import grpc
from quorumq.v1 import worker_service_pb2 as pb
from quorumq.v1 import worker_service_pb2_grpc


# A message that cannot be right, another stream with this worker's id, a gateway without Redis:
# the next stream would end likewise.
FINAL = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.UNIMPLEMENTED,
)


class NonRetryable(Exception):
    """Raised by a handler whose job cannot succeed, however often it is tried."""


class Attempt:
    """What a handler gets beside its input."""

    def __init__(self, start, until):
        self.start = start  # job_id, token (hand it to the stores that you write to), attempt …
        self.until = until  # on the monotonic clock: it is another worker's afterwards
        self.aborted = threading.Event()  # set: stop, and return or raise whatever you like
        self.progress = None  # set it to anything JSON
        self.logs = queue.SimpleQueue()  # put lines for the job's log


class Requests(queue.Queue):
    """What one stream has to send, and when its unanswered heartbeats were made."""

    def __init__(self):
        super().__init__()
        self.beats = deque()


class Worker:
    def __init__(self, address, worker_id, kinds, handlers, concurrency=4, lease_seconds=10):
        self.address, self.worker_id, self.handlers = address, worker_id, handlers
        self.hello = pb.WorkerHello(worker_id=worker_id, kinds=kinds, concurrency=concurrency)
        self.hello.lease.FromMilliseconds(int(lease_seconds * 1000))
        self.lease = lease_seconds
        # Concurrency counts per queue.
        self.threads = ThreadPoolExecutor(concurrency * len({kind.queue for kind in kinds}))
        self.live = {}  # (job_id, token): Attempt, while its handler runs
        self.unanswered = {}  # (job_id, token): AttemptFinish, until the ledger has answered it
        self.requests = Requests()
        self.lock = threading.Lock()
        self.draining = False

    def run(self):
        """Until drained. A stream that breaks is opened again, with what still runs."""
        threading.Thread(target=self.beat, daemon=True).start()
        while not self.work_one_stream():
            time.sleep(0.2)

    def drain(self):
        """From a signal handler, say: no new jobs; run() returns when the last has ended."""
        self.draining = True
        self.requests.put(pb.WorkRequest(drain=pb.WorkerDrain()))

    def work_one_stream(self):
        hello = pb.WorkerHello()
        hello.CopyFrom(self.hello)
        for (job_id, token), attempt in list(self.live.items()):
            hello.resume.add(job_id=job_id, token=token, traceparent=attempt.start.traceparent)
        requests = Requests()
        requests.put(pb.WorkRequest(hello=hello))
        self.requests = requests
        for finish in list(self.unanswered.values()):
            requests.put(pb.WorkRequest(finish=finish))
        if self.draining:
            self.drain()
        with grpc.insecure_channel(self.address) as channel:
            try:
                stub = worker_service_pb2_grpc.WorkerServiceStub(channel)
                for response in stub.Work(iter(requests.get, None)):
                    kind = response.WhichOneof("message")
                    if kind == "drained":
                        return True
                    if kind == "move":  # to another gateway: the next stream names what runs
                        return False
                    self.take(kind, getattr(response, kind), requests)
            except grpc.RpcError as error:
                if error.code() in FINAL:
                    raise
                print(f"stream ended: {error.code().name}: {error.details()}", file=sys.stderr)
            finally:
                requests.put(None)
        return False

    def take(self, kind, message, requests):
        if kind == "start":
            attempt = Attempt(message, time.monotonic() + self.lease)
            self.live[message.job_id, message.token] = attempt
            self.threads.submit(self.handle, attempt)
        elif kind == "welcome":
            self.hello.worker_id = message.worker_id  # made up by the gateway, if it had none
        elif kind == "heartbeat":
            sent = requests.beats.popleft()
            for lease in message.leases:
                attempt = self.live.get((lease.job_id, lease.token))
                if attempt is not None:
                    attempt.until = sent + lease.left.ToMilliseconds() / 1000
        elif kind == "abort":
            attempt = self.live.get((message.job_id, message.token))
            if attempt is not None:
                attempt.aborted.set()
        elif kind in ("finished", "fenced"):  # recorded, or refused: either way nobody waits
            self.unanswered.pop((message.job_id, message.token), None)

    def handle(self, attempt):
        start = attempt.start
        finish = pb.AttemptFinish(job_id=start.job_id, token=start.token)
        try:
            result = self.handlers[start.kind](json.loads(start.payload or b"null"), attempt)
            finish.succeeded.result = json.dumps(result).encode()
        except Exception as error:
            finish.failed.code = type(error).__name__
            finish.failed.message = str(error)[:2000]
            finish.failed.retryable = not isinstance(error, NonRetryable)
        if attempt.progress is not None or not attempt.logs.empty():
            self.tell([attempt])  # before its end: afterwards nobody is heard
        key = start.job_id, start.token
        self.unanswered[key] = finish
        del self.live[key]
        self.requests.put(pb.WorkRequest(finish=finish))

    def beat(self):
        while True:
            time.sleep(self.lease / 3)
            for attempt in list(self.live.values()):
                if time.monotonic() > attempt.until:  # nobody has said in time that it is ours
                    attempt.aborted.set()
            self.tell(list(self.live.values()))

    def tell(self, attempts):
        heartbeat = pb.WorkerHeartbeat()
        for attempt in attempts:
            beat = heartbeat.attempts.add(job_id=attempt.start.job_id, token=attempt.start.token)
            if attempt.progress is not None:
                beat.progress, attempt.progress = json.dumps(attempt.progress).encode(), None
            while not attempt.logs.empty() and len(beat.log_lines) < 100:
                beat.log_lines.append(attempt.logs.get())
        with self.lock:  # answers come in the order of the heartbeats
            self.requests.beats.append(time.monotonic())
            self.requests.put(pb.WorkRequest(heartbeat=heartbeat))


def count_words(document, attempt):
    words = document["text"].split()
    attempt.logs.put(f"{len(words)} words")
    if not words:
        raise NonRetryable("there is nothing to count")
    return {"words": len(words)}


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051"
    worker_id = sys.argv[2] if len(sys.argv) > 2 else ""
    kinds = [pb.WorkerKind(kind="count-words", queue="python", max_attempts=5)]
    worker = Worker(address, worker_id, kinds, {"count-words": count_words})
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: worker.drain())
    worker.run()
