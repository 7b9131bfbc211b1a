// Batches of calls and answers, beacons and events as bytes.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { ClientRequest, ClientResponse } from "../../../protos/gen/node/v1/exchange.ts";
import {
  batches,
  decodeBeacon,
  decodeRequest,
  decodeResponse,
  encodeAnswer,
  encodeBeacon,
  encodeCall,
  encodeRequest,
  encodeResponse,
} from "../../../transport/call-codec.ts";
import { decodeJobEvent, encodeJobEvent } from "../../../transport/job-event.ts";
import {
  AMQP_MESSAGE_BYTES_MAX,
  CLIENT_BATCH_BYTES_MAX,
  CLIENT_BATCH_CALLS_MAX,
} from "../../../transport/limit.ts";

const call = {
  callId: 7,
  deadlineMs: 123,
  traceparent: "t",
  call: { $case: "read" as const, value: { read: { $case: "cluster" as const, value: {} } } },
};
const answer = {
  callId: 7,
  answer: { $case: "refused" as const, value: { reason: 1 as const, leaderId: "n2" } },
};

describe("requests and responses", () => {
  test("put together from encoded parts are what the generated code would have written", () => {
    const request = { version: 1, cluster: "c", replyTo: "r", calls: [call, call] };
    const encoded = encodeCall(call);
    expect(encodeRequest("c", "r", [encoded, encoded])).toEqual(
      Buffer.from(ClientRequest.encode(request).finish()),
    );
    const response = { version: 1, cluster: "c", node: "n", term: 3, answers: [answer] };
    expect(encodeResponse({ cluster: "c", node: "n", term: 3 }, [encodeAnswer(answer)])).toEqual(
      Buffer.from(ClientResponse.encode(response).finish()),
    );
  });

  test("come back as they went", () => {
    const request = { version: 1, cluster: "c", replyTo: "r", calls: [call] };
    expect(decodeRequest(encodeRequest("c", "r", [encodeCall(call)]), "c")).toEqual(request);
  });

  test("are dropped with the cause when they are not ours", () => {
    const bytes = encodeRequest("c", "r", []);
    const other = ClientRequest.encode({ version: 2, cluster: "c", replyTo: "", calls: [] });
    expect(decodeRequest(bytes, "d")).toEqual({ dropped: "cluster" });
    expect(decodeRequest(other.finish(), "c")).toEqual({ dropped: "version" });
    expect(decodeRequest(Buffer.from([0x08]), "c")).toEqual({ dropped: "malformed" });
    expect(decodeRequest(Buffer.alloc(AMQP_MESSAGE_BYTES_MAX + 1), "c")).toEqual({
      dropped: "oversized",
    });
  });

  test("never throw, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
        decodeRequest(garbage, "c");
        decodeResponse(garbage, "c");
        decodeBeacon(garbage);
        expect(decodeJobEvent(garbage)).toBeNull();
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("batches", () => {
  const sizes = fc.array(fc.constantFrom(0, 10, 400_000, 600_000, CLIENT_BATCH_BYTES_MAX + 1), {
    maxLength: 20,
  });

  test("keep all elements in order, each within its bounds or alone", () => {
    fc.assert(
      fc.property(sizes, (lengths) => {
        const elements = lengths.map((length) => ({ bytes: { byteLength: length } as Uint8Array }));
        const cut = [...batches(elements, ({ bytes }) => bytes)];
        expect(cut.flat()).toEqual(elements);
        for (const batch of cut) {
          const total = batch.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
          expect(batch.length === 1 || total <= CLIENT_BATCH_BYTES_MAX).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("are bounded by count, too", () => {
    const elements = Array.from(
      { length: CLIENT_BATCH_CALLS_MAX * 2 + 1 },
      () => new Uint8Array(1),
    );
    const lengths = [...batches(elements, (element) => element)].map(({ length }) => length);
    expect(lengths).toEqual([CLIENT_BATCH_CALLS_MAX, CLIENT_BATCH_CALLS_MAX, 1]);
  });
});

describe("beacons and events", () => {
  test("come back as they went", () => {
    const beacon = { node: "n1", incarnation: 3, term: 9 };
    expect(decodeBeacon(encodeBeacon(beacon))).toEqual(beacon);
    const event = {
      index: 5,
      term: 1,
      jobId: "j-5",
      kind: "greet",
      queue: "main",
      event: "queued",
      attempt: 0,
      timeMs: 17,
    };
    expect(decodeJobEvent(encodeJobEvent(event))).toEqual(event);
  });

  test.each([
    [{ node: "", incarnation: 1, term: 1 }],
    [{ node: "n1", incarnation: "1", term: 1 }],
    [{ node: "n1", incarnation: 1, term: -1 }],
    [{ node: "n1", incarnation: 1 }],
    [null],
    [[]],
  ])("are not taken when a field is missing or of another type: %j", (value) => {
    const bytes = Buffer.from(JSON.stringify(value));
    expect([decodeBeacon(bytes), decodeJobEvent(bytes)]).toEqual([null, null]);
  });
});
