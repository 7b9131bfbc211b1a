// Every bound of the system, with its unit and its reason. Nothing grows without a row here.

/** Payload or result of a job: larger things belong in a blob store, the job names them. */
export const PAYLOAD_BYTES_MAX = 256 * 1024;
/** gRPC's own default receive limit, kept. */
export const GRPC_MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** An AMQP message of ours; RabbitMQ 4 refuses 16 MiB and more by default. */
export const AMQP_MESSAGE_BYTES_MAX = 8 * 1024 * 1024;
/** A command as an entry's data: with its envelope it has to fit one message to each peer. */
export const COMMAND_BYTES_MAX = AMQP_MESSAGE_BYTES_MAX - 64 * 1024;
/** Entries a peer is sent in one AppendEntries: by count, and by bytes (one entry always goes). */
export const APPEND_ENTRIES_MAX = 256;
export const APPEND_BYTES_MAX = 512 * 1024;
/** AppendEntries on their way to one peer without an answer. */
export const APPEND_INFLIGHT_MAX = 32;
export const APPEND_INFLIGHT_BYTES_MAX = 8 * 1024 * 1024;
/** Kept before a snapshot, in memory and on disk: who was away for less needs no snapshot. */
export const TRAILING_ENTRIES_MAX = 10_000;
export const TRAILING_BYTES_MAX = 16 * 1024 * 1024;
/** A learner is made a voter when so few entries are missing. */
export const PROMOTION_LAG_MAX = 1_000;
/** Entries of a leader that are not committed yet: beyond, proposals are refused as overloaded. */
export const UNCOMMITTED_ENTRIES_MAX = 20_000;
export const UNCOMMITTED_BYTES_MAX = 64 * 1024 * 1024;
/** Messages waiting for the disk: beyond, the oldest are dropped, as the broker may. */
export const HELD_SENDS_MAX = 10_000;
/** Inputs waiting for the driver's loop; Raft messages beyond are dropped, calls refused. */
export const INBOX_LENGTH_MAX = 10_000;
/** x-max-length of the mailboxes: about ten seconds of the densest traffic. */
export const CONTROL_MAILBOX_LENGTH_MAX = 1_000;
export const APPEND_MAILBOX_LENGTH_MAX = 4_096;
export const CLIENT_MAILBOX_LENGTH_MAX = 10_000;
/** Of one chunk: larger ones delay what shares the broker with them (raft-lessons P12). */
export const SNAPSHOT_CHUNK_BYTES = 256 * 1024;
/** Chunks that a follower asks for at a time. */
export const SNAPSHOT_WINDOW = 4;
/** The snapshot mailbox: many windows of chunks, or their requests, from peers that left it. */
export const SNAPSHOT_MAILBOX_BYTES_MAX = 8 * 1024 * 1024;
export const SNAPSHOT_MAILBOX_LENGTH_MAX = 1_000;
/** A snapshot larger than this is a damaged message: the ledger of a node fits its memory. */
export const SNAPSHOT_BYTES_MAX = 64 * 1024 * 1024 * 1024;
/** Ids in one set of a configuration, and names in a list of founders. */
export const MEMBERS_MAX = 64;
/** Senders that are not members whose newest life is remembered; the oldest is forgotten. */
export const STRANGERS_MAX = 64;
/** Calls of one client that have no answer yet. */
export const CLIENT_CALLS_MAX = 20_000;
export const CLIENT_CALLS_BYTES_MAX = 256 * 1024 * 1024;
/** Calls in one ClientRequest. */
export const CLIENT_BATCH_CALLS_MAX = 512;
export const CLIENT_BATCH_BYTES_MAX = 1024 * 1024;
export const JOB_LOCK_KEYS_MAX = 16;
/** Keys that limit how many jobs run at the same time, and the greatest such limit. */
export const JOB_CONCURRENCY_KEYS_MAX = 8;
export const CONCURRENCY_MAX = 1_000;
/** Of a queue: running jobs, waiting jobs, starts in a period (each is remembered), the period. */
export const QUEUE_RUNNING_MAX = 1_000_000;
export const QUEUE_WAITING_MAX = 1_000_000_000;
export const QUEUE_RATE_COUNT_MAX = 10_000;
export const QUEUE_RATE_PERIOD_MS_MAX = 24 * 60 * 60 * 1_000;
/** Jobs that one command of a drain cancels: some milliseconds of work. */
export const DRAIN_JOBS_MAX = 1_000;
export const JOB_ATTEMPTS_MAX = 100;
export const JOB_PRIORITY_MAX = 1_000;
export const BATCH_JOBS_MAX = 1_000;
/** Levels of a family, the topmost parent's included. All its jobs are in one command. */
export const FAMILY_LEVELS_MAX = 5;
/** Results of children that a start carries; beyond, a handler asks by id. */
export const CHILD_RESULTS_BYTES_MAX = 1024 * 1024;
/** Characters of a child's error in a start; all of it is with the child. */
export const CHILD_ERROR_LENGTH_MAX = 256;
export const PAGE_SIZE_DEFAULT = 50;
export const PAGE_SIZE_MAX = 1_000;
/** What an attempt tells of its progress, and a line that it logs. */
export const PROGRESS_BYTES_MAX = 4 * 1024;
export const LOG_LINE_BYTES_MAX = 1024;
/** Lines in one report of an attempt, and attempts that one ReportProgress names. */
export const REPORT_LINES_MAX = 100;
export const REPORTS_MAX = 1_000;
/** Of the progress and lines in one ReportProgress; one attempt's always go. */
export const REPORTS_BYTES_MAX = 256 * 1024;
/** Jobs that one RetryJobs call retries. */
export const RETRY_COUNT_DEFAULT = 1_000;
export const RETRY_COUNT_MAX = 10_000;
/** Kind, queue, lock key and idempotency key: characters. */
export const NAME_LENGTH_MAX = 128;
export const KEY_LENGTH_MAX = 256;
/** Receipts kept a job; all are counted. */
export const RECEIPTS_MAX = 16;
/** W3C traceparents are 55 characters; later versions of the format may be longer. */
export const TRACEPARENT_LENGTH_MAX = 128;
/** Of an error or a cancellation, in the ledger for good: workers cut longer ones. */
export const ERROR_MESSAGE_LENGTH_MAX = 4_096;
/** Attempts that one RenewLeases names, and kinds that one RegisterKinds does. */
export const RENEWALS_MAX = 10_000;
export const KINDS_MAX = 1_000;
/** Finished jobs that one command forgets: about a millisecond of work, 40 times a second. */
export const FORGET_JOBS_MAX = 250;
/** Nobody who waits for a result may find its job forgotten: longer than any call waits. */
export const FINISHED_SPARE_MS = 60_000;
/** A longer lease would keep a dead worker's jobs from others for as long. */
export const LEASE_MS_MAX = 60 * 60 * 1_000;
/** A lock outside jobs: no shorter life than its holder can extend, no longer wait than this. */
export const LOCK_TTL_MS_MIN = 100;
export const LOCK_TTL_MS_DEFAULT = 30_000;
export const LOCK_WAIT_MS_MAX = 60 * 60 * 1_000;
/** Backoffs and attempt timeouts: ten years. */
export const DURATION_MS_MAX = 3_650 * 24 * 60 * 60 * 1_000;
/** The last millisecond of a google.protobuf.Timestamp, in the year 9999. */
export const TIME_MS_MAX = 253_402_300_799_999;
/** Jobs in one answer to a read, with all that they hold; one job always goes. */
export const READ_BYTES_MAX = 4 * 1024 * 1024;
/** Entries in one answer to a read of the log; and their bytes, as above. */
export const LOG_READ_ENTRIES_MAX = 256;
/** Texts, characters, and lists, elements, of one entry as it is shown to an operator. */
export const LOG_DETAIL_TEXT_LENGTH_MAX = 128;
export const LOG_DETAIL_ITEMS_MAX = 16;
/** Nodes that one change of membership names. */
export const MEMBERSHIP_NODES_MAX = 16;
/** A text in a gRPC trailer, characters; peers refuse header lists over 8 to 16 KiB. */
export const TRAILER_TEXT_LENGTH_MAX = 300;
export const TRAILER_VIOLATIONS_MAX = 12;
/** Job ids in one read of the gateway. */
export const READ_JOBS_MAX = 256;
/** Callers of one gateway that wait for or watch a job; beyond, BACKLOG_FULL. */
export const GATEWAY_WAITS_MAX = 20_000;
/** Callers of one gateway that wait for a lock: one command keeps the places of all of them. */
export const GATEWAY_LOCK_WAITS_MAX = 10_000;
/** Callers of one gateway that read the log: each asks the leader four times a second. */
export const GATEWAY_TAILS_MAX = 64;
/** Of the items of one stream: beyond, the stream is read no further until answers have left. */
export const SUBMIT_STREAM_INFLIGHT_BYTES_MAX = 8 * 1024 * 1024;
/** Items of one SubmitJobs stream, and greetings of one SayHelloBidiStream, on their way. */
export const SUBMIT_STREAM_INFLIGHT_MAX = 1_024;
export const GREETER_STREAM_INFLIGHT_MAX = 64;
/** Calls of one gRPC connection at the same time. */
export const GRPC_STREAMS_MAX = 4_096;
/** A call's time when the caller gives none, and the longest that a unary call may have. */
export const CALL_TIMEOUT_MS_DEFAULT = 10_000;
export const CALL_TIMEOUT_MS_MAX = 60_000;
/** Of a snapshot that is written or sent, as one piece: some milliseconds of work. */
export const SNAPSHOT_PIECE_BYTES = 256 * 1024;
/** A cron expression, characters. */
export const CRON_LENGTH_MAX = 256;
/** Of an interval: more often is a stream, and not a schedule. */
export const INTERVAL_MS_MIN = 1_000;
/** A slot that is decided later than this is missed: a killed leader is replaced much sooner. */
export const MISSED_AFTER_MS_DEFAULT = 30_000;
export const MISSED_AFTER_MS_MIN = 1_000;
export const MISSED_AFTER_MS_MAX = 24 * 60 * 60 * 1_000;
/** Schedules that one entry ticks: some milliseconds of calendar. */
export const TICKED_SCHEDULES_MAX = 64;
/** Cron expressions that a process keeps parsed. */
export const PARSED_CRONS_MAX = 1_000;
/** The body of an HTTP request: what a message may have in gRPC. */
export const HTTP_BODY_BYTES_MAX = GRPC_MESSAGE_BYTES_MAX;
/** Of one request, in all its messages: a batch of the fullest jobs has half as many. */
export const REQUEST_FIELDS_MAX = 200_000;
/** Problems of one request that are told; the rest are counted. */
export const VIOLATIONS_TOLD_MAX = 50;
/** Connections of one HTTP server; a watch keeps one of its own over HTTP/1.1. */
export const HTTP_CONNECTIONS_MAX = 4_096;
/** Remote workers of one gateway: each holds a few connections to Redis; beyond, BACKLOG_FULL. */
export const GATEWAY_WORKERS_MAX = 256;
/** Of one remote worker: jobs at a time from all its queues, those, and attempts it resumes. */
export const WORKER_CONCURRENCY_MAX = 1_000;
export const WORKER_QUEUES_MAX = 64;
export const WORKER_RESUMES_MAX = 1_000;
/** Lines for a job's log in one heartbeat of an attempt. */
export const HEARTBEAT_LOG_LINES_MAX = 100;
/** Messages that a remote worker has not read yet; one that lets more wait is sent away. */
export const WORKER_OUTBOX_MAX = 10_000;
/** Outcomes of one remote worker that the quorum has not answered yet. */
export const WORKER_REPORTS_MAX = 10_000;
