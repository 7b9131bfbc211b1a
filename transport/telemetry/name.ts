// Every span and attribute name that quorumq emits, in one place.
//
// Guarantees: names have low cardinality (no ids) and no attribute ever holds a payload or result.
// Messaging, RPC and database names follow the OpenTelemetry semantic conventions 1.45.

export const SpanName = {
  /** CLIENT/PRODUCER: a gateway or worker hands a command to the leader. */
  Propose: "propose",
  /** INTERNAL, leader: from taking the command to having applied it. */
  RaftCommit: "raft.commit",
  /** INTERNAL, follower: from receiving the entry to having it on disk. */
  RaftAppend: "raft.append",
  /** INTERNAL, leader, a root: from proposing a schedule's slot to having decided it. */
  ScheduleTick: "schedule.tick",
  /** PRODUCER, leader: the job is put into BullMQ. Followed by the queue's name. */
  Dispatch: "dispatch",
  /** CONSUMER, worker: one BullMQ delivery, from taking it to letting it go. And its queue. */
  Process: "process",
  /** CLIENT, worker: the Redis locks of an attempt are taken. */
  LockAcquire: "lock.acquire",
  /** INTERNAL, worker: the user's code runs. Followed by the kind. */
  Handler: "handler",
} as const;

export const AttributeName = {
  JobId: "quorumq.job.id",
  JobKind: "quorumq.job.kind",
  JobQueue: "quorumq.job.queue",
  JobState: "quorumq.job.state",
  ScheduleId: "quorumq.schedule.id",
  /** ISO 8601. */
  ScheduleSlot: "quorumq.schedule.slot_time",
  /** job, or waiting: for the job before it to end. */
  ScheduleOutcome: "quorumq.schedule.outcome",
  Attempt: "quorumq.attempt.number",
  AttemptOutcome: "quorumq.attempt.outcome",
  Worker: "quorumq.worker.id",
  FencingToken: "quorumq.fencing_token",
  Command: "quorumq.command",
  LockKeyCount: "quorumq.lock.key_count",
  RaftNode: "quorumq.raft.node",
  RaftTerm: "quorumq.raft.term",
  RaftIndex: "quorumq.raft.index",
  MessagingSystem: "messaging.system",
  MessagingDestination: "messaging.destination.name",
  MessagingOperationType: "messaging.operation.type",
  MessagingOperationName: "messaging.operation.name",
  RpcSystem: "rpc.system.name",
  RpcMethod: "rpc.method",
  RpcStatusCode: "rpc.status_code",
  HttpVerb: "http.request.method",
  HttpRoute: "http.route",
  HttpStatusCode: "http.response.status_code",
  DbSystem: "db.system.name",
  DbOperation: "db.operation.name",
  ErrorType: "error.type",
} as const;
