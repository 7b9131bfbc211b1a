// The error table on the wire: every reason as a gRPC status, and back.

import { status as GrpcCode, Metadata } from "@grpc/grpc-js";
import { describe, expect, test } from "@jest/globals";
import { BadRequest, ErrorInfo, RetryInfo } from "../../../protos/gen/google/rpc/error_details.ts";
import { Status } from "../../../protos/gen/google/rpc/status.ts";
import { DETAILS_KEY, ERROR_DOMAIN, fromStatus, toStatus } from "../../../transport/grpc/status.ts";
import { TRAILER_TEXT_LENGTH_MAX, TRAILER_VIOLATIONS_MAX } from "../../../transport/limit.ts";
import { Code, PipelineError } from "../../../transport/pipeline-error.ts";
import { REASONS, type Reason, refusal } from "../../../transport/reason.ts";

const rows = Object.keys(REASONS) as Reason[];

function detailsOf(error: PipelineError, type: string): Buffer[] {
  const bytes = toStatus(error).metadata.get(DETAILS_KEY)[0];
  if (!Buffer.isBuffer(bytes)) throw new Error("no details in the trailer");
  return Status.decode(bytes)
    .details.filter(({ typeUrl }) => typeUrl === `type.googleapis.com/google.rpc.${type}`)
    .map(({ value }) => value);
}

describe("every row of the error table", () => {
  test.each(rows)("%s carries exactly one ErrorInfo of our domain with its values", (reason) => {
    const error = refusal(reason, "job j-7 is wrong", { metadata: { job_id: "j-7" } });
    const infos = detailsOf(error, "ErrorInfo");
    expect(infos).toHaveLength(1);
    const info = ErrorInfo.decode(infos[0] ?? Buffer.alloc(0));
    expect(info.reason).toBe(reason);
    expect(info.reason).toMatch(/^[A-Z][A-Z0-9_]{0,62}$/);
    expect(info.domain).toBe(ERROR_DOMAIN);
    expect(info.metadata["job_id"]).toBe("j-7");
  });

  test.each(rows)("%s comes back equal at the caller", (reason) => {
    const error = refusal(reason, "job j-7 is wrong", {
      metadata: { job_id: "j-7", limit: "8" },
      violations: [{ field: "job.kind", description: "is empty" }],
    });
    const back = fromStatus(toStatus(error));
    expect({ ...back }).toEqual({ ...error });
    expect(back.message).toBe(`${error.code}: job j-7 is wrong`);
    expect(back.cause).toBeDefined();
  });

  test.each(rows)("%s says when to try again if it may pass by itself", (reason) => {
    const error = refusal(reason, "wrong");
    const mayPass =
      error.code === Code.Unavailable ||
      (error.code === Code.ResourceExhausted && error.retry === "safe");
    const infos = detailsOf(error, "RetryInfo");
    expect(infos).toHaveLength(mayPass ? 1 : 0);
    for (const info of infos) {
      const { retryDelay } = RetryInfo.decode(info);
      const delayMs = (retryDelay?.seconds ?? 0) * 1_000 + (retryDelay?.nanos ?? 0) / 1e6;
      expect(delayMs).toBe(error.retryDelayMs);
      expect(delayMs).toBeGreaterThan(0);
    }
  });
});

test("the codes of the public table are what callers were promised", () => {
  const codes = Object.fromEntries(rows.map((reason) => [reason, REASONS[reason].code]));
  expect(codes).toMatchObject({
    INVALID_FIELD: "INVALID_ARGUMENT",
    PAYLOAD_TOO_LARGE: "INVALID_ARGUMENT",
    NO_LEADER: "UNAVAILABLE",
    BROKER_UNAVAILABLE: "UNAVAILABLE",
    SHUTTING_DOWN: "UNAVAILABLE",
    OUTCOME_UNKNOWN: "DEADLINE_EXCEEDED",
    FENCED: "ABORTED",
    BACKLOG_FULL: "RESOURCE_EXHAUSTED",
    IDEMPOTENCY_KEY_REUSED: "ALREADY_EXISTS",
    JOB_FINISHED: "FAILED_PRECONDITION",
    JOB_NOT_FOUND: "NOT_FOUND",
    MEMBERSHIP_BUSY: "UNAVAILABLE",
    NODE_UNKNOWN: "NOT_FOUND",
    NODE_UNFIT: "FAILED_PRECONDITION",
    TRANSFER_ABORTED: "ABORTED",
    LOG_COMPACTED: "OUT_OF_RANGE",
    CREDENTIAL_MISSING: "UNAUTHENTICATED",
    SCOPE_MISSING: "PERMISSION_DENIED",
  });
});

test.each(Object.values(Code))("%s is the gRPC code of the same name", (code) => {
  const error = new PipelineError("x", { code, reason: "X", retry: "never" });
  expect(GrpcCode[toStatus(error).code]).toBe(code);
});

test("a status that gRPC made itself is understood without details", () => {
  const seen = (code: number) => {
    const { code: name, reason, retry } = fromStatus({ code, details: "said gRPC" });
    return [name, reason, retry];
  };
  expect(seen(GrpcCode.UNAVAILABLE)).toEqual(["UNAVAILABLE", "UNREACHABLE", "safe"]);
  expect(seen(GrpcCode.DEADLINE_EXCEEDED)).toEqual([
    "DEADLINE_EXCEEDED",
    "OUTCOME_UNKNOWN",
    "same-key",
  ]);
  expect(seen(GrpcCode.RESOURCE_EXHAUSTED)).toEqual([
    "RESOURCE_EXHAUSTED",
    "MESSAGE_TOO_LARGE",
    "never",
  ]);
  expect(seen(99)).toEqual(["UNKNOWN", "UNKNOWN", "never"]);
});

test("a trailer that does not decode is taken as a bare code", () => {
  const metadata = new Metadata();
  metadata.set(DETAILS_KEY, Buffer.from([0xff, 0xff, 0xff]));
  const error = fromStatus({ code: GrpcCode.NOT_FOUND, details: "gone", metadata });
  expect(error.code).toBe("NOT_FOUND");
  expect(error.rawMessage).toBe("gone");
});

test("texts and lists are cut so that the trailer stays small", () => {
  const violations = Array.from({ length: 500 }, (_, i) => ({
    field: `jobs[${i}].kind`,
    description: "x".repeat(10_000),
  }));
  const text = `${"x".repeat(TRAILER_TEXT_LENGTH_MAX - 2)}😀😀`;
  const error = refusal("INVALID_FIELD", text, { metadata: { value: text }, violations });
  const { details, metadata } = toStatus(error);
  expect(details.isWellFormed()).toBe(true);
  expect(details.length).toBe(TRAILER_TEXT_LENGTH_MAX);
  const badRequest = BadRequest.decode(detailsOf(error, "BadRequest")[0] ?? Buffer.alloc(0));
  expect(badRequest.fieldViolations).toHaveLength(TRAILER_VIOLATIONS_MAX);
  const [bytes] = metadata.get(DETAILS_KEY);
  expect(Buffer.isBuffer(bytes) ? bytes.byteLength : Number.NaN).toBeLessThan(6 * 1024);
});

describe("what is thrown", () => {
  test("stays what it is when it is a PipelineError", () => {
    const error = refusal("NO_LEADER", "none");
    expect(PipelineError.from(error)).toBe(error);
  });

  test("is CANCELLED when it is an abort", () => {
    const abort = new DOMException("x", "AbortError");
    expect(PipelineError.from(abort)).toMatchObject({ code: "CANCELLED", cause: abort });
  });

  test("is INTERNAL otherwise, and its words stay on this side", () => {
    const thrown = new Error("password=secret");
    const error = PipelineError.from(thrown);
    expect(error).toMatchObject({ code: "INTERNAL", reason: "INTERNAL", cause: thrown });
    expect(JSON.stringify(toStatus(error))).not.toContain("secret");
    expect(error.message).not.toContain("secret");
  });
});
