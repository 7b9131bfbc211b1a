"""What a caller in Python sees: client.py ADDRESS ADDRESS_WITHOUT_A_LEADER prints it as JSON."""

import json
import sys
import time

import grpc
import helloworld_pb2
import helloworld_pb2_grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from quorumq.v1 import job_pb2, job_service_pb2_grpc
from quorumq.v1 import job_service_pb2 as pb


def spec(key, payload=b'{"name":"Python"}', **more):
    return job_pb2.JobSpec(kind="greet", payload=payload, idempotency_key=f"python-{key}", **more)


def state(job):
    return job_pb2.JobState.Name(job.state)


def failure(call):
    """The error of a call, with all that it carries."""
    try:
        call()
    except grpc.RpcError as error:
        found = {"code": error.code().name}
        for detail in rpc_status.from_call(error).details:
            info = error_details_pb2.ErrorInfo()
            retry = error_details_pb2.RetryInfo()
            request = error_details_pb2.BadRequest()
            if detail.Unpack(info):
                found |= {"reason": info.reason, "domain": info.domain}
                found["named"] = sorted(info.metadata)
            elif detail.Unpack(retry):
                found["retryDelayMs"] = retry.retry_delay.ToMilliseconds()
            elif detail.Unpack(request):
                found["fields"] = sorted(one.field for one in request.field_violations)
        return found
    raise AssertionError("the call succeeded")


def scheduled(jobs, later):
    """Seven jobs that are due in an hour, read three at a time, then cancelled."""
    run_at = {"seconds": later}
    batch = [spec(f"later-{at}", run_at=run_at) for at in range(7)]
    ids = [one.job_id for one in jobs.BatchSubmitJobs(pb.BatchSubmitJobsRequest(jobs=batch)).jobs]
    pages, token = [], ""
    while True:
        request = pb.ListJobsRequest(
            page_size=3, page_token=token, state=job_pb2.JOB_STATE_SCHEDULED, kind="greet"
        )
        page = jobs.ListJobs(request)
        pages.append([job.id for job in page.jobs])
        token = page.next_page_token
        if token == "":
            break
    listed = [job_id for page in pages for job_id in page]
    cancelled = [state(jobs.CancelJob(pb.CancelJobRequest(job_id=one)).job) for one in ids]
    return {
        "pages": [len(page) for page in pages],
        "isNewestFirst": listed == ids[::-1],
        "cancelled": sorted(set(cancelled)),
    }


def main(address, leaderless):
    found = {}
    with grpc.insecure_channel(address) as channel, grpc.insecure_channel(leaderless) as nowhere:
        greeter = helloworld_pb2_grpc.GreeterStub(channel)
        jobs = job_service_pb2_grpc.JobServiceStub(channel)
        found["greeting"] = greeter.SayHello(helloworld_pb2.HelloRequest(name="Python")).message
        names = [helloworld_pb2.HelloRequest(name=name) for name in ("a", "b")]
        found["greetings"] = [reply.message for reply in greeter.SayHelloBidiStream(iter(names))]

        submit = pb.SubmitJobRequest(job=spec("1"))
        first, second = jobs.SubmitJob(submit), jobs.SubmitJob(submit)
        found["isSameJob"] = first.job_id == second.job_id
        found["deduplicated"] = [first.deduplicated, second.deduplicated]
        found["traceIdLength"] = len(first.trace_id)
        ran = jobs.RunJob(pb.RunJobRequest(job=spec("2"))).job
        found["ran"] = [state(ran), json.loads(ran.result)]
        waited = jobs.WaitJob(pb.WaitJobRequest(job_id=first.job_id)).job
        found["waited"] = state(waited)
        watched = [state(one.job) for one in jobs.WatchJob(pb.WatchJobRequest(job_id=ran.id))]
        found["watched"] = watched[-1]
        found["scheduled"] = scheduled(jobs, int(time.time()) + 3600)

        wrong = job_pb2.JobSpec(kind="greet", payload=b"no", priority=5000, max_attempts=101)
        other = spec("1", payload=b'{"name":"another"}')
        found["failures"] = {
            "wrong": failure(lambda: jobs.SubmitJob(pb.SubmitJobRequest(job=wrong))),
            "unknownKind": failure(lambda: jobs.SubmitJob(pb.SubmitJobRequest(job={"kind": "no"}))),
            "reusedKey": failure(lambda: jobs.SubmitJob(pb.SubmitJobRequest(job=other))),
            "finished": failure(lambda: jobs.CancelJob(pb.CancelJobRequest(job_id=ran.id))),
            "noJob": failure(lambda: jobs.GetJob(pb.GetJobRequest(job_id="j-none"))),
            "leaderless": failure(
                lambda: job_service_pb2_grpc.JobServiceStub(nowhere).GetJob(
                    pb.GetJobRequest(job_id="j-1")
                )
            ),
        }
    print(json.dumps(found))


main(*sys.argv[1:])
