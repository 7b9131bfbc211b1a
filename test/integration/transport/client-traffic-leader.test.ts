// Calls of gateways and workers while the leader changes, over a real RabbitMQ.

import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { Refused_Reason } from "../../../protos/gen/node/v1/exchange.ts";
import {
  CALL,
  sendBeacon,
  startClient,
  startLedger,
  startNode,
  startPair,
  submission,
  untilLeader,
} from "../../support/client-world.ts";
import { refused } from "../../support/solo-node.ts";

describe("when the leader changes", () => {
  test("open calls follow to the next leader, and an unanswered one is applied once", async () => {
    const ledger = startLedger();
    const first = await startNode("n1", ledger);
    const second = await startNode("n2", ledger);
    const client = await startClient();
    // Takes effect, and the answer is lost with the leader.
    first.intercept = (call) => {
      if (call.call?.$case === "propose") ledger.apply(submission("k"));
      void first.close();
      return null;
    };
    first.lead(1);
    await untilLeader(client, ({ leader }) => leader === "n1");

    const outcome = client.propose(submission("k"), CALL);
    while (first.requests.length === 0) await turn();
    second.lead(2);

    const { kind, applied } = (await outcome) as { kind: string; applied?: unknown };
    expect(kind).toBe("applied");
    expect(applied).toMatchObject({
      result: { value: { jobs: [{ jobId: "j-2", deduplicated: true }] } },
    });
  });

  test("calls to a mailbox that is gone come back: nothing happened", async () => {
    startLedger();
    const client = await startClient();
    await sendBeacon("gone", 5);
    await untilLeader(client, ({ leader }) => leader === "gone");
    const returned = untilLeader(client, ({ leader }) => leader === null);

    const outcome = client.propose(submission("k"), { ...CALL, timeoutMs: 1_000 });

    await returned;
    expect(await outcome).toEqual({ kind: "unavailable", reason: "no-leader" });
  });

  test("calls that came back go to the next leader", async () => {
    const ledger = startLedger();
    const node = await startNode("n1", ledger);
    const client = await startClient();
    await sendBeacon("gone", 5);
    await untilLeader(client, ({ leader }) => leader === "gone");
    const returned = untilLeader(client, ({ leader }) => leader === null);
    const outcome = client.propose(submission("k"), CALL);
    await returned;
    node.lead(6);

    await expect(outcome).resolves.toMatchObject({ kind: "applied" });
    expect(node.requests).toHaveLength(1);
  });

  test("a node that refuses is not asked again in its term, and its hint is followed", async () => {
    const { ledger, node, client } = await startPair();
    const second = await startNode("n2", ledger);
    node.intercept = () => refused(Refused_Reason.REASON_NOT_LEADER, "n2");
    second.leadUnheard(2);

    await expect(client.propose(submission("k"), CALL)).resolves.toMatchObject({
      kind: "applied",
    });
    // The first still says that it leads; one round behind its word is not enough to be believed.
    await sendBeacon("n1", 1);
    await expect(client.propose(submission("l"), CALL)).resolves.toMatchObject({
      kind: "applied",
    });
    expect(client.leader().leader).toBe("n2");
    expect([node.requests.length, second.requests.length]).toEqual([1, 2]);
  });

  test("followers are told of a gap in the events", async () => {
    const { ledger, client } = await startPair();
    const second = await startNode("n2", ledger);
    const gap = new Promise<void>((resolve) => client.onEventGap(resolve));
    second.lead(2);
    await gap;
    expect(client.leader()).toEqual({ leader: "n2", term: 2 });
  });

  test("an outcome that the leader does not know is asked again", async () => {
    const { ledger, node, client } = await startPair();
    const second = await startNode("n2", ledger);
    node.intercept = () => {
      node.lead(0);
      second.lead(2);
      return refused(Refused_Reason.REASON_OUTCOME_UNKNOWN);
    };
    await expect(client.propose(submission("k"), CALL)).resolves.toMatchObject({
      kind: "applied",
    });
  });

  test("two seconds without a beacon mean that no leader is known", async () => {
    startLedger();
    const client = await startClient();
    await sendBeacon("n1", 1);
    await untilLeader(client, ({ leader }) => leader === "n1");
    const heardAtMs = performance.now();
    await untilLeader(client, ({ leader }) => leader === null);
    expect(performance.now() - heardAtMs).toBeGreaterThan(1_900);
    expect(client.leader()).toEqual({ leader: null, term: 1 });
  });
});
