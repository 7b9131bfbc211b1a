r"""A quorumq worker in Python, with nothing but grpcio and the stubs made from protos/:

    pip install grpcio grpcio-tools
    mkdir stubs
    python -m grpc_tools.protoc -I protos --python_out=stubs --grpc_python_out=stubs \
        protos/quorumq/v1/*.proto
    PYTHONPATH=stubs python workers/examples/python/worker.py 127.0.0.1:50051 python-1

What the messages mean: docs/worker-protocol.md. It ends when its stream breaks or falls silent, and
another worker runs its jobs again; resuming_worker.py beside it goes on with them instead.
"""

import json
import os
import queue
import signal
import sys
import threading
import time
from collections import deque

import grpc
from quorumq.v1 import worker_service_pb2 as pb
from quorumq.v1 import worker_service_pb2_grpc

LEASE_SECONDS = 10


def count_words(document, start, aborted):
    """start.token is for the stores that it writes to; aborted is set when it has to stop."""
    return {"words": len(document["text"].split())}


class Worker:
    def __init__(self, handlers):
        self.handlers = handlers
        self.requests = queue.SimpleQueue()
        self.live = {}  # (job_id, token): what tells its handler to stop
        self.unanswered = deque()  # when the heartbeats were made
        self.heard = time.monotonic()  # when the newest one was made that has an answer

    def work(self, address, hello):
        """Until drained. An error of the stream is the caller's: let the process end."""
        hello.lease.FromSeconds(LEASE_SECONDS)
        self.requests.put(pb.WorkRequest(hello=hello))
        with grpc.insecure_channel(address) as channel:
            stub = worker_service_pb2_grpc.WorkerServiceStub(channel)
            for response in stub.Work(iter(self.requests.get, None)):
                kind = response.WhichOneof("message")
                if kind == "welcome":
                    self.heard = time.monotonic()
                    print(f"{response.welcome.worker_id} takes jobs", flush=True)
                    threading.Thread(target=self.beat, daemon=True).start()
                elif kind == "start":
                    self.live[response.start.job_id, response.start.token] = threading.Event()
                    threading.Thread(target=self.run, args=[response.start], daemon=True).start()
                elif kind == "abort":
                    aborted = self.live.get((response.abort.job_id, response.abort.token))
                    if aborted is not None:
                        aborted.set()
                elif kind == "heartbeat":
                    self.heard = self.unanswered.popleft()
                elif kind == "move":
                    self.drain()

    def drain(self):
        self.requests.put(pb.WorkRequest(drain=pb.WorkerDrain()))

    def run(self, start):
        key = start.job_id, start.token
        finish = pb.AttemptFinish(job_id=start.job_id, token=start.token)
        try:
            document = json.loads(start.payload or b"null")
            result = self.handlers[start.kind](document, start, self.live[key])
            finish.succeeded.result = json.dumps(result).encode()
        except Exception as error:
            finish.failed.code = type(error).__name__
            finish.failed.message = str(error)[:2000]
            finish.failed.retryable = True
        del self.live[key]
        self.requests.put(pb.WorkRequest(finish=finish))

    def beat(self):
        while True:
            time.sleep(LEASE_SECONDS / 3)
            if time.monotonic() - self.heard > LEASE_SECONDS / 2:
                os._exit(1)  # nobody says that our attempts are ours: soon they are another's
            self.unanswered.append(time.monotonic())
            beats = [pb.AttemptBeat(job_id=job_id, token=token) for job_id, token in list(self.live)]
            self.requests.put(pb.WorkRequest(heartbeat=pb.WorkerHeartbeat(attempts=beats)))


if __name__ == "__main__":
    worker = Worker({"count-words": count_words})
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: worker.drain())
    kinds = [pb.WorkerKind(kind=kind, queue="words", max_attempts=5) for kind in worker.handlers]
    worker.work(sys.argv[1], pb.WorkerHello(worker_id=sys.argv[2], kinds=kinds, concurrency=4))
