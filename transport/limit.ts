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
/** Calls in one ClientRequest. */
export const CLIENT_BATCH_CALLS_MAX = 512;
export const CLIENT_BATCH_BYTES_MAX = 1024 * 1024;
export const JOB_LOCK_KEYS_MAX = 16;
export const JOB_ATTEMPTS_MAX = 100;
export const JOB_PRIORITY_MAX = 1_000;
export const BATCH_JOBS_MAX = 1_000;
export const PAGE_SIZE_DEFAULT = 50;
export const PAGE_SIZE_MAX = 1_000;
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
/** A longer lease would keep a dead worker's jobs from others for as long. */
export const LEASE_MS_MAX = 60 * 60 * 1_000;
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
/** Callers of one gateway that read the log: each asks the leader four times a second. */
export const GATEWAY_TAILS_MAX = 64;
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
