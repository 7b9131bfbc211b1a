// What is said of a call's fate, for every way in which it can go.

import { afterEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type CallEnd, ClientCalls } from "../../../transport/client-calls.ts";

const opened: ClientCalls[] = [];
afterEach(() => {
  for (const calls of opened.splice(0)) calls.giveUpAll("shutting-down");
});

function openCalls(): {
  calls: ClientCalls;
  ends: CallEnd[][];
  open: (isLong?: boolean) => number;
} {
  const calls = new ClientCalls(() => "no-leader");
  opened.push(calls);
  const ends: CallEnd[][] = [];
  const open = (isLong = false): number => {
    const id = calls.nextId();
    const own: CallEnd[] = [];
    ends[id] = own;
    calls.open(id, {
      bytes: new Uint8Array(1),
      traceparent: "",
      timeoutMs: 60_000,
      signal: undefined,
      isLong,
      ended: (end) => own.push(end),
      resent: () => undefined,
    });
    return id;
  };
  return { calls, ends, open };
}

const send = (calls: ClientCalls, node: string, nowMs = 0): void => {
  for (const call of calls.waiting()) calls.sent(call, node, nowMs);
};

test("calls that go again are taken before younger ones", () => {
  const { calls, open } = openCalls();
  open();
  open();
  send(calls, "n1");
  open();
  calls.undone(2, "n1", "returned");
  calls.undone(1, "n1", "returned");
  expect(calls.waiting().map(({ id }) => id)).toEqual([1, 2, 3]);
});

test("a late word of a node that the call has left behind changes nothing", () => {
  const { calls, ends, open } = openCalls();
  const id = open();
  send(calls, "n1");
  calls.doubtAll("new-leader");
  send(calls, "n2");
  calls.undone(id, "n1", "not-leader");
  expect(calls.waitingCount).toBe(0);
  calls.giveUp(id, "no-leader");
  expect(ends[id]).toEqual([{ kind: "unknown" }]);
});

test("calls without an answer go again, each time later", () => {
  const { calls, open } = openCalls();
  open();
  send(calls, "n1", 0);
  calls.doubtOverdue(1_999);
  expect(calls.waitingCount).toBe(0);
  calls.doubtOverdue(2_000);
  expect(calls.waitingCount).toBe(1);
  send(calls, "n1", 2_000);
  calls.doubtOverdue(5_999);
  expect(calls.waitingCount).toBe(0);
  calls.doubtOverdue(6_000);
  expect(calls.waitingCount).toBe(1);
});

test("what the leader takes long for goes again late", () => {
  const { calls, open } = openCalls();
  open(true);
  send(calls, "n1", 0);
  calls.doubtOverdue(29_999);
  expect(calls.waitingCount).toBe(0);
  calls.doubtOverdue(30_000);
  expect(calls.waitingCount).toBe(1);
});

test("unavailable is said if and only if no sending can have happened; each ends once", () => {
  // A sending's fate as the model knows it, beside what ClientCalls makes of it.
  const step = fc.constantFrom("send", "undone", "doubted", "doubt-all", "overdue");
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const { calls, ends, open } = openCalls();
      const id = open();
      let isOut = false;
      let mayHaveHappened = false;
      for (const name of steps) {
        if (name === "send") {
          send(calls, "n1", 0);
          isOut = true;
          continue;
        }
        if (name === "undone") calls.undone(id, "n1", "returned");
        else if (name === "doubted") calls.doubted(id, "n1", "unknown");
        else if (name === "doubt-all") calls.doubtAll("reconnected");
        else calls.doubtOverdue(Number.MAX_SAFE_INTEGER);
        mayHaveHappened ||= isOut && name !== "undone";
        isOut = false;
      }
      mayHaveHappened ||= isOut;
      calls.giveUp(id, "no-leader");
      calls.giveUp(id, "no-leader");
      calls.end(id, { kind: "malformed" });
      expect(ends[id]).toEqual([
        mayHaveHappened ? { kind: "unknown" } : { kind: "unavailable", reason: "no-leader" },
      ]);
      expect([calls.size, calls.waitingCount]).toEqual([0, 0]);
    }),
  );
});
