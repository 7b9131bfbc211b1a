// Any request that the protos allow gets an answer or a refusal that names what is wrong, and never
// INTERNAL: what a handler lets pass is what the leader takes (SoloQuorum throws at the rest).

import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { afterAll, beforeAll, jest, test } from "@jest/globals";
import fc from "fast-check";
import { JobServiceService } from "../../../protos/gen/quorumq/v1/job_service.ts";
import { LockServiceService } from "../../../protos/gen/quorumq/v1/lock_service.ts";
import { apiRegistry } from "../../../transport/http/api-schema.ts";
import { PAYLOAD_BYTES_MAX } from "../../../transport/limit.ts";
import { Code, PipelineError } from "../../../transport/pipeline-error.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { JobFollower } from "../../../workers/gateway/follower.ts";
import { LockWaits } from "../../../workers/gateway/lock-waits.ts";
import { type ServiceHandlers, serviceHandlers } from "../../../workers/gateway/services.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";
import { registerKinds } from "../../support/tiny-executor.ts";

jest.setTimeout(60_000);

const KIND = "idle";
const QUEUE = "main";
const TEXTS = ["", KIND, QUEUE, "*", "j-2", "j-1-0", "l-3", "a b", "a:b", "\u0000", "\ufeffk", "🔑"]
  .concat(["k".repeat(128), "k".repeat(129), "k".repeat(256), "k".repeat(257), "k".repeat(5_000)])
  .concat(["@daily", "*/5 * * * *", "0 0 30 2 *", "Europe/Berlin", ".", "-"])
  .concat(["1.key.k", "1.s.5", "junk", "r1.00000000000.5.id"].map(tokenOf));
const WHOLE = [0, 1, 2, 3, 100, 101, 1_000, 1_001, 2 ** 31 - 1];
const LARGE = [0n, 1n, 1_000n, 2n ** 53n - 1n];
const SECONDS = [0n, 1n, 60n, 2n ** 33n, 253_402_300_799n, 2n ** 52n].flatMap((it) => [it, -it]);
const NANOS = [0, 1, -1, 999_999_999, 1_000_000_000, 2 ** 31 - 1];
const FRACTIONS = [0, 0.5, 1, 2, -1, 1_000, 1_001, Number.NaN, Number.POSITIVE_INFINITY];
const PAYLOADS = ["", "{}", "null", "{", "\ufeff{}", `"${"z".repeat(PAYLOAD_BYTES_MAX)}"`].map(
  (text) => Buffer.from(text),
);
const DEPTH_MAX = 4;

function tokenOf(text: string): string {
  return Buffer.from(text).toString("base64url");
}

function message(desc: DescMessage, depth = 0): fc.Arbitrary<Message> {
  if (/^google\.protobuf\.(Timestamp|Duration)$/.test(desc.typeName)) {
    const parts = { seconds: fc.constantFrom(...SECONDS), nanos: fc.constantFrom(...NANOS) };
    return fc.record(parts).map((init) => create(desc, init));
  }
  const fields = desc.fields.filter((field) => depth < DEPTH_MAX || field.message === undefined);
  const values = fields.map((field) => [field.localName, value(field, depth)] as const);
  return fc
    .record(Object.fromEntries(values), { requiredKeys: [] })
    .map((init) => create(desc, init));
}

function value(field: DescField, depth: number): fc.Arbitrary<unknown> {
  const one = single(field, depth);
  return field.fieldKind === "list" ? fc.array(one, { maxLength: depth > 1 ? 2 : 18 }) : one;
}

function single(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.enum !== undefined) return fc.constantFrom(-1, 0, 1, 2, 3, 4, 5, 6, 99);
  if (field.message !== undefined) return message(field.message, depth + 1);
  const scalar = field.fieldKind === "map" ? undefined : field.scalar;
  // A kind that nobody knows is refused before all else.
  if (field.name === "kind") return fc.constantFrom(KIND, KIND, KIND, ...TEXTS);
  if (scalar === undefined) return fc.constant(undefined);
  return SCALARS[scalar] ?? fc.constantFrom(...WHOLE);
}

/** By the numbers that descriptor.proto has for them. */
const SCALARS: Readonly<Record<number, fc.Arbitrary<unknown>>> = {
  1: fc.constantFrom(...FRACTIONS),
  4: fc.constantFrom(...LARGE),
  5: fc.constantFrom(...WHOLE, -1, -(2 ** 31)),
  8: fc.boolean(),
  9: fc.constantFrom(...TEXTS),
  12: fc.constantFrom(...PAYLOADS),
};

let quorum: SoloQuorum;
let handlers: ServiceHandlers;
const closers: (() => void)[] = [];

beforeAll(async () => {
  quorum = new SoloQuorum();
  await registerKinds(quorum, [KIND]);
  const follower = new JobFollower(quorum, silentLogger());
  const waits = new LockWaits(quorum, silentLogger());
  handlers = serviceHandlers(quorum, follower, waits);
  closers.push(
    () => follower.close(),
    () => waits.close(),
  );
});

afterAll(async () => {
  for (const close of closers) close();
  await quorum.close();
});

interface Method {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  requestDeserialize(bytes: Buffer): unknown;
}

const METHODS = [
  ...Object.entries(JobServiceService).map(([name, method]) => ["jobs", name, method] as const),
  ...Object.entries(LockServiceService).map(([name, method]) => ["locks", name, method] as const),
].filter(([, , method]) => !method.requestStream && !method.responseStream);

test.each(METHODS)("%s.%s", async (service, name, entry) => {
  const method: Method = entry;
  const [, typeName = "", methodName] = method.path.split("/");
  const desc = apiRegistry()
    .getService(typeName)
    ?.methods.find((it) => it.name === methodName);
  if (desc === undefined) throw new Error(`the protos have no ${method.path}`);
  const handler = Reflect.get(handlers[service], name) as Handler;
  await fc.assert(
    fc.asyncProperty(message(desc.input), async (request) => {
      const bytes = Buffer.from(toBinary(desc.input, request));
      const failure = await failed(handler, method.requestDeserialize(bytes));
      // Told with what it was, which its caller is not.
      if (failure?.code === Code.Internal) throw failure.cause ?? failure;
    }),
    { numRuns: 60 },
  );
});

type Handler = (request: unknown, call: unknown) => Promise<unknown>;

async function failed(handler: Handler, request: unknown): Promise<PipelineError | null> {
  const endMs = performance.now() + 10;
  const call = {
    method: "any",
    traceparent: "",
    signal: new AbortController().signal,
    draining: new AbortController().signal,
    remainingMs: () => Math.max(0, endMs - performance.now()),
    annotate: () => undefined,
  };
  try {
    await handler(request, call);
    return null;
  } catch (thrown) {
    return PipelineError.from(thrown);
  }
}
