// An operator's wishes on their way to the leader and back, over a real RabbitMQ.

import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { type Call, Refused_Reason } from "../../../protos/gen/node/v1/exchange.ts";
import type { AdministerAction } from "../../../transport/quorum.ts";
import {
  CALL,
  startClient,
  startLedger,
  startNode,
  startPair,
  untilLeader,
} from "../../support/client-world.ts";
import { refused } from "../../support/solo-node.ts";

const SNAPSHOT: AdministerAction = { $case: "takeSnapshot", value: {} };

function addition(...nodeIds: string[]): AdministerAction {
  return { $case: "addNode", value: { nodeIds } };
}

describe("a wish", () => {
  test("reaches the leader and is answered", async () => {
    const { ledger, client } = await startPair();
    ledger.membership.waiting.add("n4");
    expect(await client.administer(addition("n4"), CALL)).toEqual({
      kind: "administered",
      outcome: { outcome: { $case: "addNode", value: {} } },
      isRepeat: false,
    });
    expect(await client.administer(SNAPSHOT, CALL)).toMatchObject({
      outcome: { outcome: { $case: "takeSnapshot", value: { index: 1 } } },
    });
  });

  test("that is refused says why and about whom", async () => {
    const { client } = await startPair();
    expect(await client.administer(addition("n9"), CALL)).toMatchObject({
      kind: "administered",
      outcome: { outcome: { $case: "refused", value: { reason: 2, nodeId: "n9" } } },
    });
  });

  test("of a version that the node does not know is refused before the leader sees it", async () => {
    const { node, client } = await startPair();
    const unknown = undefined as unknown as AdministerAction;
    await expect(client.administer(unknown, CALL)).rejects.toThrow("cannot read");
    expect(node.requests).toEqual([]);
  });

  test("whose answer went with the leader is asked again, and known as a repetition", async () => {
    const ledger = startLedger();
    ledger.membership.waiting.add("n4");
    const first = await startNode("n1", ledger);
    const second = await startNode("n2", ledger);
    const client = await startClient();
    first.intercept = ({ call }: Call) => {
      if (call?.$case === "administer" && call.value.action !== undefined) {
        ledger.fulfil(call.value.action);
      }
      return null;
    };
    first.lead(1);
    await untilLeader(client, ({ leader }) => leader === "n1");
    const outcome = client.administer(addition("n4"), CALL);
    while (first.requests.length === 0) await turn();
    second.lead(2);
    expect(await outcome).toMatchObject({
      kind: "administered",
      isRepeat: true,
      outcome: { outcome: { $case: "refused", value: { nodeId: "n4" } } },
    });
  });

  test("that a node did not take is no repetition at the next one", async () => {
    const { ledger, node, client } = await startPair();
    const second = await startNode("n2", ledger);
    node.intercept = () => refused(Refused_Reason.REASON_NOT_LEADER, "n2");
    second.leadUnheard(2);
    expect(await client.administer(SNAPSHOT, CALL)).toMatchObject({ isRepeat: false });
  });

  test("that the leader does not answer in time may have happened", async () => {
    const { node, client } = await startPair();
    node.intercept = () => null;
    const outcome = await client.administer(SNAPSHOT, { ...CALL, timeoutMs: 200 });
    expect(outcome).toEqual({ kind: "unknown" });
  });
});
