// What a remote worker says of itself, checked field by field.
//
// Guarantees: a hello that passes registers kinds that the leader takes; all problems are told at
// once, by the paths of the message; what is left out has its default.

import { randomUUID } from "node:crypto";
import type {
  AttemptResume,
  WorkerHello,
  WorkerKind,
} from "../../protos/gen/quorumq/v1/worker_service.ts";
import {
  JOB_ATTEMPTS_MAX,
  JOB_LOCK_KEYS_MAX,
  KEY_LENGTH_MAX,
  KINDS_MAX,
  LEASE_MS_MAX,
  TRACEPARENT_LENGTH_MAX,
  WORKER_CONCURRENCY_MAX,
  WORKER_QUEUES_MAX,
  WORKER_RESUMES_MAX,
} from "../../transport/limit.ts";
import { DEFAULT_QUEUE, DEFAULT_RETRY } from "../define-job.ts";
import {
  checkBackoff,
  checkDuration,
  checkLength,
  checkName,
  checkRange,
} from "../gateway/validate.ts";
import { checkConcurrencyKeys } from "../gateway/validate-queue.ts";
import { quoted, Violations } from "../gateway/violations.ts";
import type { RelayedKind } from "../relay.ts";
import { CONCURRENCY_DEFAULT, LEASE_MS_DEFAULT, LEASE_MS_MIN } from "../worker.ts";
import { checkAttempt, nameOf } from "./attempt-message.ts";

export interface Hello {
  readonly workerId: string;
  readonly kinds: readonly RelayedKind[];
  readonly concurrency: number;
  readonly leaseMs: number;
  readonly resume: readonly AttemptResume[];
}

/** Throws what is wrong with it. */
export function checkHello(wire: WorkerHello): Hello {
  const violations = new Violations();
  if (wire.workerId !== "") checkName(wire.workerId, "hello.worker_id", violations);
  const kinds = checkKinds(wire.kinds, violations);
  const queueCount = new Set(kinds.map(({ queue }) => queue)).size;
  const concurrencyMax = Math.floor(WORKER_CONCURRENCY_MAX / Math.max(1, queueCount));
  checkRange(wire.concurrency, "hello.concurrency", concurrencyMax, violations);
  const leaseMs = checkDuration(wire.lease, "hello.lease", violations) || LEASE_MS_DEFAULT;
  if (leaseMs < LEASE_MS_MIN || leaseMs > LEASE_MS_MAX) {
    const limit = `${LEASE_MS_MIN} to ${LEASE_MS_MAX} ms`;
    violations.add("hello.lease", "is out of range", `${leaseMs} ms`, limit);
  }
  checkResume(wire.resume, violations);
  violations.requireNone();
  return {
    workerId: wire.workerId === "" ? `worker-${randomUUID().slice(0, 8)}` : wire.workerId,
    kinds,
    concurrency: wire.concurrency === 0 ? CONCURRENCY_DEFAULT : wire.concurrency,
    leaseMs,
    resume: wire.resume,
  };
}

function checkResume(resume: readonly AttemptResume[], violations: Violations): void {
  checkCount(resume, "hello.resume", 0, WORKER_RESUMES_MAX, violations);
  const seen = new Set<string>();
  for (const [position, attempt] of resume.slice(0, WORKER_RESUMES_MAX).entries()) {
    const path = `hello.resume[${position}]`;
    checkAttempt(attempt, path, violations);
    checkLength(attempt.traceparent, `${path}.traceparent`, TRACEPARENT_LENGTH_MAX, violations);
    if (seen.has(nameOf(attempt))) {
      violations.add(path, "is there twice", nameOf(attempt), "each attempt once");
    }
    seen.add(nameOf(attempt));
  }
}

function checkKinds(wires: readonly WorkerKind[], violations: Violations): RelayedKind[] {
  checkCount(wires, "hello.kinds", 1, KINDS_MAX, violations);
  const seen = new Set<string>();
  const kinds = wires.slice(0, KINDS_MAX).map((wire, position) => {
    const path = `hello.kinds[${position}]`;
    if (seen.has(wire.kind)) {
      violations.add(`${path}.kind`, "is there twice", quoted(wire.kind), "each kind once");
    }
    seen.add(wire.kind);
    return checkKind(wire, path, violations);
  });
  const queues = new Set(kinds.map(({ queue }) => queue));
  if (queues.size > WORKER_QUEUES_MAX) {
    const limit = `at most ${WORKER_QUEUES_MAX}; start more workers`;
    violations.add("hello.kinds", "name too many queues", queues.size, limit);
  }
  return kinds;
}

function checkKind(wire: WorkerKind, path: string, violations: Violations): RelayedKind {
  const queue = wire.queue === "" ? DEFAULT_QUEUE : wire.queue;
  checkName(wire.kind, `${path}.kind`, violations);
  checkName(queue, `${path}.queue`, violations);
  checkRange(wire.maxAttempts, `${path}.max_attempts`, JOB_ATTEMPTS_MAX, violations);
  checkCount(wire.lockTemplates, `${path}.lock_templates`, 0, JOB_LOCK_KEYS_MAX, violations);
  for (const [position, template] of wire.lockTemplates.slice(0, JOB_LOCK_KEYS_MAX).entries()) {
    const field = `${path}.lock_templates[${position}]`;
    if (template === "") violations.add(field, "is empty", quoted(""), "such as account:{id}");
    checkLength(template, field, KEY_LENGTH_MAX, violations);
  }
  const templates = wire.concurrencyTemplates;
  checkConcurrencyKeys(templates, `${path}.concurrency_templates`, violations);
  return {
    kind: wire.kind,
    queue,
    retry: {
      maxAttempts: wire.maxAttempts === 0 ? DEFAULT_RETRY.maxAttempts : wire.maxAttempts,
      backoff: checkBackoff(wire.backoff, `${path}.backoff`, violations) ?? DEFAULT_RETRY.backoff,
    },
    timeoutMs: checkDuration(wire.attemptTimeout, `${path}.attempt_timeout`, violations),
    totalTimeoutMs: checkDuration(wire.totalTimeout, `${path}.total_timeout`, violations),
    lockTemplates: wire.lockTemplates,
    concurrencyTemplates: templates,
  };
}

export function checkCount(
  items: readonly unknown[],
  field: string,
  min: number,
  max: number,
  violations: Violations,
): void {
  if (items.length >= min && items.length <= max) return;
  violations.add(field, "has the wrong number of items", items.length, `${min} to ${max}`);
}
