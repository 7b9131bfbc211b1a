// The traces of slots: one for each that is decided here, nothing for those that are not.

import { beforeAll, beforeEach, expect, test } from "@jest/globals";
import { NodeSDK } from "@opentelemetry/sdk-node";
import {
  InMemorySpanExporter,
  SamplingDecision,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace";
import type { CommandBody } from "../../../ledger/command.ts";
import { apply } from "../../../ledger/ledger.ts";
import type { ScheduleRule } from "../../../ledger/schedule.ts";
import { ScheduleKeeper } from "../../../transport/schedule-keeper.ts";
import { traceIdOf } from "../../../transport/telemetry/trace.ts";
import { atEnd } from "../../support/teardown.ts";
import { ruleOf, START_MS, specOf, World } from "../ledger/world.ts";

const CREATOR = `00-${"c".repeat(32)}-${"d".repeat(16)}-01`;
const exporter = new InMemorySpanExporter();
const decisions = { isSampled: true };
const sdk = new NodeSDK({
  spanProcessors: [new SimpleSpanProcessor({ exporter })],
  sampler: {
    shouldSample: () => ({
      decision: decisions.isSampled
        ? SamplingDecision.RECORD_AND_SAMPLED
        : SamplingDecision.NOT_RECORD,
    }),
    toString: () => "as the test says",
  },
  autoDetectResources: false,
  instrumentations: [],
  metricReaders: [],
  logRecordProcessors: [],
});
let world: World;
let proposed: CommandBody[];
let keeper: ScheduleKeeper;

beforeAll(() => {
  sdk.start();
  atEnd(() => sdk.shutdown());
});

beforeEach(() => {
  exporter.reset();
  decisions.isSampled = true;
  world = new World();
  proposed = [];
  const propose = (body: CommandBody): number => proposed.push(body);
  keeper = new ScheduleKeeper({ nodeName: "n1", propose, nowMs: () => world.nowMs });
});

function create(rule: Partial<ScheduleRule> = {}, traceparent = CREATOR): void {
  const job = specOf({ traceparent });
  const one = ruleOf({ intervalMs: 1_000, ...rule });
  world.commit({ kind: "create-schedule", scheduleId: "s", rule: one, job });
  commit();
}

/** What this node proposes when it is asked to now. */
function propose(): CommandBody {
  keeper.advance(world.ledger);
  const body = proposed.at(-1);
  if (body === undefined) throw new Error("nothing was proposed");
  return body;
}

/** It is applied here, as every command. */
function applyHere(body: CommandBody): void {
  const command = { timeMs: world.nowMs, random: 0, body };
  world.log.push({ index: world.index + 1, command });
  const { changes } = apply(world.ledger, world.index, command);
  if (body.kind === "tick-schedules") keeper.ended(world.ledger, body.ticks, changes);
}

function commit(): void {
  applyHere(propose());
}

const names = () => exporter.getFinishedSpans().map(({ name, attributes }) => [name, attributes]);

test("a slot's span is a root that ends with the decision, and the job is under it", () => {
  create();
  expect(names()).toEqual([]);
  world.at(1_100);
  commit();
  const [span, more] = exporter.getFinishedSpans();
  expect(more).toBeUndefined();
  const job = world.job(`j-${world.index}-1`);
  expect(span).toMatchObject({
    ...{ name: "schedule.tick", parentSpanContext: undefined },
    attributes: {
      "quorumq.schedule.id": "s",
      "quorumq.schedule.slot_time": new Date(START_MS + 1_000).toISOString(),
      "quorumq.schedule.outcome": "job",
      "quorumq.raft.node": "n1",
      "quorumq.raft.index": world.index,
      "quorumq.job.id": job.id,
    },
  });
  const { traceId, spanId } = span?.spanContext() ?? {};
  expect(job.traceparent).toBe(`00-${traceId}-${spanId}-01`);
  expect(span?.links.map(({ context }) => [context.traceId, context.spanId])).toEqual([
    ["c".repeat(32), "d".repeat(16)],
  ]);
});

test("each slot of a proposal has its own, those that wait as well; what is skipped has none", () => {
  create({ overlap: "queue" }, "");
  world.at(3_000);
  commit();
  const spans = exporter.getFinishedSpans();
  const outcomes = spans.map(({ attributes }) => attributes["quorumq.schedule.outcome"]);
  expect(outcomes).toEqual(["job", "waiting", "waiting"]);
  expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(3);
  expect(spans.flatMap(({ links }) => links)).toEqual([]);
  // The first one's job ends: the second's goes on under the trace that it was decided in.
  world.cancel([...world.ledger.jobs][0]?.id ?? "");
  const second = [...world.ledger.jobs][1]?.traceparent ?? "";
  expect(traceIdOf(second)).toBe(spans[1]?.spanContext().traceId);
  world.commit({ kind: "delete-schedule", scheduleId: "s" });
  exporter.reset();
  create({ overlap: "skip" });
  world.at(5_000);
  commit();
  // The job of the one before is open.
  expect(world.ledger.schedules.get("s")?.skippedCount).toBe(2);
  expect(names()).toEqual([]);
});

test("a proposal that was refused, or that another leader's was before, leaves nothing", () => {
  create();
  world.at(1_100);
  const first = propose();
  keeper.refused(proposed.length);
  const second = propose();
  expect(second).not.toEqual(first);
  // Another leader's slot comes first.
  const other = structuredClone(second);
  if (other.kind !== "tick-schedules") throw new Error("slots were proposed");
  applyHere({ ...other, ticks: other.ticks.map((tick) => ({ ...tick, traceparents: [] })) });
  applyHere(second);
  expect([...world.ledger.jobs].map(({ traceparent }) => traceparent)).toEqual([""]);
  expect(names()).toEqual([]);
});

test("a leader that was deposed before its slot was decided still ends the span", () => {
  create();
  world.at(1_100);
  const body = propose();
  keeper.elected();
  applyHere(body);
  expect(exporter.getFinishedSpans()).toHaveLength(1);
});

test("what is not sampled makes no span, and the job has a trace id all the same", () => {
  decisions.isSampled = false;
  create();
  world.at(1_100);
  commit();
  expect(names()).toEqual([]);
  const [job] = world.ledger.jobs;
  expect(job?.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
});
