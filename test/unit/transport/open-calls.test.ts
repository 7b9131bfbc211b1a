// Each call is answered once, and with what is true: applied, nothing happened, or unknown.

import { describe, expect, test } from "@jest/globals";
import type { Answer } from "../../../protos/gen/node/v1/exchange.ts";
import { Refused_Reason } from "../../../protos/gen/node/v1/exchange.ts";
import { OpenCalls } from "../../../transport/open-calls.ts";

const DONE = { kind: "done" } as const;
const READ = { read: { $case: "cluster", value: {} } } as const;

function setUp(incarnation = 1) {
  const answers: [callId: number, answer: Answer["answer"]][] = [];
  const calls = new OpenCalls(
    (_replyTo, { callId, answer }) => answers.push([callId, answer]),
    incarnation,
  );
  return {
    calls,
    answers,
    propose: (callId: number, replyTo: string | null = "reply") =>
      calls.open({ kind: "proposal", replyTo, callId, span: null }),
    read: (callId: number) => calls.open({ kind: "read", replyTo: "reply", callId, read: READ }),
  };
}

function refusal(reason: Refused_Reason, leaderId = ""): Answer["answer"] {
  return { $case: "refused", value: { reason, leaderId } };
}

describe("a proposal", () => {
  test("is answered with the result of the entry at its place and of its term", () => {
    const { calls, answers, propose } = setUp();
    calls.appended(propose(7), 2, 10);
    calls.applied(9, 2, DONE);
    expect(answers).toEqual([]);
    calls.applied(10, 2, DONE);
    expect(answers).toMatchObject([[7, { $case: "applied", value: { index: 10 } }]]);
    expect(calls.size).toBe(0);
  });

  test("is not answered with another leader's entry at its place: nothing happened", () => {
    const { calls, answers, propose } = setUp();
    calls.appended(propose(7), 2, 10);
    calls.applied(10, 3, DONE);
    expect(answers).toEqual([[7, refusal(Refused_Reason.REASON_NOT_LEADER)]]);
  });

  test("whose place another leader's no-op takes did not happen either", () => {
    const { calls, answers, propose } = setUp();
    calls.appended(propose(7), 2, 10);
    calls.applied(10, 3, null);
    expect(answers).toEqual([[7, refusal(Refused_Reason.REASON_NOT_LEADER)]]);
  });

  test("that stands in a deposed leader's log has an unknown outcome", () => {
    const { calls, answers, propose } = setUp();
    calls.appended(propose(7), 2, 10);
    calls.deposed("n2");
    expect(answers).toEqual([[7, refusal(Refused_Reason.REASON_OUTCOME_UNKNOWN, "n2")]]);
    calls.applied(10, 2, DONE);
    expect(answers).toHaveLength(1);
    expect(calls.size).toBe(0);
  });

  test("that a deposed leader has not appended did not happen", () => {
    const { calls, answers, propose } = setUp();
    propose(7);
    calls.deposed("n2");
    expect(answers).toEqual([[7, refusal(Refused_Reason.REASON_NOT_LEADER, "n2")]]);
  });

  test("of the node itself is answered to nobody, and is forgotten all the same", () => {
    const { calls, answers, propose } = setUp();
    calls.appended(propose(0, null), 2, 10);
    calls.refused(propose(0, null), "overloaded", "n1");
    expect(calls.size).toBe(1);
    calls.applied(10, 2, DONE);
    expect(answers).toEqual([]);
    expect(calls.size).toBe(0);
  });

  test("at the same place in a later term is told from the one before", () => {
    const { calls, answers, propose } = setUp();
    calls.appended(propose(7), 2, 10);
    calls.deposed(null);
    calls.appended(propose(8), 4, 10);
    calls.applied(10, 4, DONE);
    expect(answers).toMatchObject([
      [7, refusal(Refused_Reason.REASON_OUTCOME_UNKNOWN)],
      [8, { $case: "applied" }],
    ]);
  });
});

describe("a read", () => {
  test("is handed out once, when its index is applied", () => {
    const { calls, read } = setUp();
    calls.readReady(read(3), 10);
    expect(calls.takeReadable(9)).toEqual([]);
    expect(calls.takeReadable(10)).toMatchObject([{ callId: 3 }]);
    expect(calls.takeReadable(11)).toEqual([]);
    expect(calls.size).toBe(0);
  });

  test("that waits for its index is refused when the node is deposed", () => {
    const { calls, answers, read } = setUp();
    calls.readReady(read(3), 10);
    read(4);
    calls.deposed(null);
    expect(answers).toEqual([
      [4, refusal(Refused_Reason.REASON_NOT_LEADER)],
      [3, refusal(Refused_Reason.REASON_NOT_LEADER)],
    ]);
    expect(calls.takeReadable(99)).toEqual([]);
  });

  test("that is overloaded is told so", () => {
    const { calls, answers, read } = setUp();
    calls.refused(read(3), "overloaded", "n1");
    expect(answers).toEqual([[3, refusal(Refused_Reason.REASON_OVERLOADED, "n1")]]);
  });
});

describe("a request id", () => {
  test("is never one that an earlier life of the node has used", () => {
    const earlier = setUp(3);
    const used = Array.from({ length: 1000 }, (_, place) => earlier.read(place));
    const first = setUp(4).read(1);
    expect(first).toBeGreaterThan(Math.max(...used));
    expect(Number.isSafeInteger(setUp(2 ** 20).read(1))).toBe(true);
  });
});
