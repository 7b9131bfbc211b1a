// How answers look on a terminal, and as JSON for programs.
//
// Guarantees: JSON is one document a command, with the field names of the protos in camelCase,
// times in ISO 8601, states by their word, payload and result as the JSON they are. Text is
// columns; colours only on a terminal and never under NO_COLOR.

import { stripVTControlCharacters, styleText } from "node:util";
import {
  type GetClusterResponse,
  type Node,
  NodeRole,
} from "../protos/gen/quorumq/v1/cluster_service.ts";
import { type Attempt, AttemptOutcome, type Job, JobState } from "../protos/gen/quorumq/v1/job.ts";
import type { SubmitJobResponse } from "../protos/gen/quorumq/v1/job_service.ts";

export type Form = "text" | "json";

const STATE_COLOR = {
  SUCCEEDED: "green",
  FAILED: "red",
  CANCELLED: "yellow",
} as const;

export function printSubmitted(submitted: SubmitJobResponse, form: Form): void {
  if (form === "json") {
    printJson(submitted);
    return;
  }
  const again = submitted.deduplicated ? "  (submitted before under the same key)" : "";
  printLine(`${submitted.jobId}${again}`);
}

export function printJob(job: Job, form: Form): void {
  if (form === "json") {
    printJson(plainJob(job));
    return;
  }
  printFields({
    id: job.id,
    kind: `${job.kind} in queue ${job.queue}`,
    state: coloured(stateWord(job.state)),
    result: job.result.toString("utf8"),
    error: job.error === undefined ? "" : `${job.error.code}: ${job.error.message}`,
    "waits for": job.waitingForLock === "" ? "" : `lock ${job.waitingForLock}`,
    attempts: `${job.attempts.length} of ${job.maxAttempts}`,
    created: job.createTime?.toISOString() ?? "",
    ended: job.endTime?.toISOString() ?? "",
    "log index": String(job.logIndex),
    trace: job.traceId,
  });
  for (const attempt of job.attempts) printLine(`  ${attemptLine(attempt)}`);
}

export function printJobs(jobs: readonly Job[], form: Form): void {
  if (form === "json") {
    printJson(jobs.map(plainJob));
    return;
  }
  printTable(
    ["ID", "KIND", "QUEUE", "STATE", "CREATED"],
    jobs.map((job) => [
      job.id,
      job.kind,
      job.queue,
      coloured(stateWord(job.state)),
      job.createTime?.toISOString() ?? "",
    ]),
  );
}

export function printCluster(cluster: GetClusterResponse, form: Form): void {
  const nodes = cluster.nodes.map((node) => ({ ...node, role: roleWord(node) }));
  if (form === "json") {
    printJson({ ...cluster, nodes });
    return;
  }
  printTable(
    ["NODE", "ROLE", "MATCH INDEX", "LAG", "LAST CONTACT"],
    nodes.map((node) => [
      node.id,
      node.role,
      String(node.matchIndex),
      String(Math.max(0, cluster.commitIndex - node.matchIndex)),
      node.role === "LEADER" ? "-" : `${node.lastContactMs} ms`,
    ]),
  );
  const { counts } = cluster;
  printFields({
    cluster: cluster.cluster,
    term: String(cluster.term),
    committed: String(cluster.commitIndex),
    accepted: String(counts?.accepted ?? 0),
    waiting: `${counts?.queued ?? 0} queued, ${counts?.scheduled ?? 0} scheduled`,
    running: String(counts?.running ?? 0),
    finished: `${counts?.succeeded ?? 0} succeeded, ${counts?.failed ?? 0} failed, ${
      counts?.cancelled ?? 0
    } cancelled`,
    "refused late": String(counts?.refusedLate ?? 0),
  });
}

export function stateWord(state: JobState): string {
  return wordOf(JobState, state, "JOB_STATE_");
}

/** A job as a plain value: what --output json prints. */
export function plainJob(job: Job): Record<string, unknown> {
  return {
    ...job,
    state: stateWord(job.state),
    payload: parsed(job.payload),
    result: parsed(job.result),
    attempts: job.attempts.map((attempt) => ({
      ...attempt,
      outcome: outcomeWord(attempt),
    })),
  };
}

function attemptLine(attempt: Attempt): string {
  const error = attempt.error === undefined ? "" : `  ${attempt.error.code}`;
  const { number, worker, token } = attempt;
  return `attempt ${number}  ${outcomeWord(attempt)}  by ${worker}, token ${token}${error}`;
}

function outcomeWord(attempt: Attempt): string {
  return wordOf(AttemptOutcome, attempt.outcome, "ATTEMPT_OUTCOME_");
}

function roleWord(node: Node): string {
  return wordOf(NodeRole, node.role, "NODE_ROLE_");
}

function wordOf(names: Readonly<Record<string, number>>, value: number, prefix: string): string {
  const name = Object.keys(names).find((key) => names[key] === value);
  return name === undefined ? String(value) : name.slice(prefix.length);
}

function parsed(bytes: Buffer): unknown {
  return bytes.length === 0 ? null : JSON.parse(bytes.toString("utf8"));
}

function coloured(state: string): string {
  const color = STATE_COLOR[state as keyof typeof STATE_COLOR];
  return color === undefined ? state : styleText(color, state, { stream: process.stdout });
}

function printFields(fields: Readonly<Record<string, string>>): void {
  const shown = Object.entries(fields).filter(([, value]) => value !== "");
  const width = Math.max(...shown.map(([name]) => name.length));
  for (const [name, value] of shown) printLine(`${name.padEnd(width)}  ${value}`);
}

function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((title, at) =>
    Math.max(title.length, ...rows.map((cells) => visibleLength(cells[at] ?? ""))),
  );
  for (const cells of [head, ...rows]) {
    const padded = cells.map((cell, at) => {
      const missing = (widths[at] ?? 0) - visibleLength(cell);
      return `${cell}${" ".repeat(Math.max(0, missing))}`;
    });
    printLine(padded.join("  ").trimEnd());
  }
}

/** Without colour codes, which take no room. */
function visibleLength(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

function printJson(value: unknown): void {
  printLine(JSON.stringify(value, null, 2));
}

function printLine(line: string): void {
  process.stdout.write(`${line}\n`);
}
