// Which method of the API is at which path: the one list of the HTTP API, in the manner of
// google.api.http. The OpenAPI document is made of it, too.
//
// Guarantees: every method of the protos with one answer has a row here or a reason in NOT_ROUTED
// (a test holds both to the protos).
// Does not own: how requests are matched (route.ts), what they hold (the protos).

export type Verb = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface Row {
  readonly verb: Verb;
  /** {field} stands for one part of the path, and for a field of the request. */
  readonly path: string;
  /** The field of the request that the body is; "*": all fields that the path does not hold. */
  readonly body?: string;
  /** The field of the response that the answer is; absent: the whole response. */
  readonly answer?: string;
  /** The method that is called instead when the caller asks to wait for the end of the job. */
  readonly waiting?: string;
  /** The field that the header Idempotency-Key fills, by its path. */
  readonly key?: string;
  /** For a stream of answers, which are sent as server-sent events. */
  readonly events?: EventRow;
}

export interface EventRow {
  readonly name: string;
  /** Field of an answer that is the event's id, as a path of JSON names. */
  readonly id: readonly string[];
  /** The field of the request that an id to go on after is given to. */
  readonly after: string;
}

const JOB = "/v1/jobs/{job_id}";
const QUEUE = "/v1/queues/{queue}";
const SCHEDULE = "/v1/schedules/{schedule_id}";
const JOBS = "quorumq.v1.JobService";
const CLUSTER = "quorumq.v1.ClusterService";
const LOCKS = "quorumq.v1.LockService";
const LOCK = "/v1/locks/{lock_id}";
const KEY = "job.idempotency_key";

export const ROUTES: Readonly<Record<string, Row>> = {
  [`${JOBS}/SubmitJob`]: {
    verb: "POST",
    path: "/v1/jobs",
    body: "job",
    waiting: `${JOBS}/RunJob`,
    key: KEY,
  },
  [`${JOBS}/RunJob`]: { verb: "POST", path: "/v1/jobs:run", body: "job", answer: "job", key: KEY },
  [`${JOBS}/BatchSubmitJobs`]: { verb: "POST", path: "/v1/jobs:batchSubmit", body: "*" },
  [`${JOBS}/ListJobs`]: { verb: "GET", path: "/v1/jobs" },
  [`${JOBS}/GetJob`]: { verb: "GET", path: JOB, answer: "job" },
  [`${JOBS}/WaitJob`]: { verb: "GET", path: `${JOB}:wait`, answer: "job" },
  [`${JOBS}/WatchJob`]: {
    verb: "GET",
    path: `${JOB}:watch`,
    answer: "job",
    events: { name: "job", id: ["job", "changeIndex"], after: "after_index" },
  },
  [`${JOBS}/CancelJob`]: { verb: "POST", path: `${JOB}:cancel`, body: "*", answer: "job" },
  [`${JOBS}/RetryJob`]: {
    verb: "POST",
    path: `${JOB}:retry`,
    body: "*",
    answer: "job",
    key: "request_id",
  },
  [`${JOBS}/RetryJobs`]: { verb: "POST", path: "/v1/jobs:retry", body: "*", key: "request_id" },
  [`${JOBS}/CreateSchedule`]: {
    verb: "POST",
    path: "/v1/schedules",
    body: "schedule",
    answer: "schedule",
  },
  [`${JOBS}/GetSchedule`]: { verb: "GET", path: SCHEDULE, answer: "schedule" },
  [`${JOBS}/ListSchedules`]: { verb: "GET", path: "/v1/schedules" },
  [`${JOBS}/DeleteSchedule`]: { verb: "DELETE", path: SCHEDULE },
  [`${JOBS}/PauseSchedule`]: {
    verb: "POST",
    path: `${SCHEDULE}:pause`,
    body: "*",
    answer: "schedule",
  },
  [`${JOBS}/ResumeSchedule`]: {
    verb: "POST",
    path: `${SCHEDULE}:resume`,
    body: "*",
    answer: "schedule",
  },
  [`${JOBS}/TriggerSchedule`]: {
    verb: "POST",
    path: `${SCHEDULE}:trigger`,
    body: "*",
    key: "idempotency_key",
  },
  [`${JOBS}/ListQueues`]: { verb: "GET", path: "/v1/queues" },
  [`${JOBS}/PauseQueue`]: { verb: "POST", path: `${QUEUE}:pause`, body: "*", answer: "queue" },
  [`${JOBS}/ResumeQueue`]: { verb: "POST", path: `${QUEUE}:resume`, body: "*", answer: "queue" },
  [`${JOBS}/ConfigureQueue`]: { verb: "PATCH", path: QUEUE, body: "limits", answer: "queue" },
  [`${JOBS}/DrainQueue`]: { verb: "POST", path: `${QUEUE}:drain`, body: "*" },
  [`${JOBS}/ListLocks`]: { verb: "GET", path: "/v1/locks" },
  [`${LOCKS}/AcquireLock`]: {
    verb: "POST",
    path: "/v1/locks:acquire",
    body: "*",
    key: "request_id",
  },
  [`${LOCKS}/KeepLockAlive`]: { verb: "POST", path: `${LOCK}:keepAlive`, body: "*" },
  [`${LOCKS}/ReleaseLock`]: { verb: "POST", path: `${LOCK}:release`, body: "*" },
  [`${CLUSTER}/GetCluster`]: { verb: "GET", path: "/v1/cluster" },
  [`${CLUSTER}/AddNode`]: { verb: "POST", path: "/v1/cluster:addNode", body: "*" },
  [`${CLUSTER}/RemoveNode`]: { verb: "POST", path: "/v1/cluster:removeNode", body: "*" },
  [`${CLUSTER}/TransferLeadership`]: {
    verb: "POST",
    path: "/v1/cluster:transferLeadership",
    body: "*",
  },
  [`${CLUSTER}/TakeSnapshot`]: { verb: "POST", path: "/v1/cluster:takeSnapshot", body: "*" },
  [`${CLUSTER}/VerifyLedger`]: { verb: "POST", path: "/v1/cluster:verifyLedger", body: "*" },
};

/** Methods without a path, and why. */
export const NOT_ROUTED: Readonly<Record<string, string>> = {
  [`${JOBS}/SubmitJobs`]: "a stream of requests; HTTP has BatchSubmitJobs",
  [`${CLUSTER}/Backup`]: "a stream of bytes for the CLI, over gRPC",
  "quorumq.v1.WorkerService/Work": "a stream in both directions, over gRPC",
  [`${CLUSTER}/TailLog`]: "an operator's stream for the CLI, over gRPC",
};
