// A new cluster is formed over a real RabbitMQ: what the driver does with links and formations.

import { EventEmitter, once } from "node:events";
import { beforeEach, expect, jest, test } from "@jest/globals";
import type { NodeId } from "../../../raft/message.ts";
import { type AmqpPeerLink, openAmqpPeerLink } from "../../../transport/amqp/amqp-peer-link.ts";
import {
  Formation,
  type FormationOutput,
  type Formed,
  HELLO_INTERVAL_MS,
} from "../../../transport/formation.ts";
import { nameOf } from "../../../transport/member-id.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { BROKER_START_TIMEOUT_MS, sharedBroker } from "../../support/broker.ts";
import { N1, N2, N3 } from "../../support/peer-recorder.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(BROKER_START_TIMEOUT_MS);

const { url } = await sharedBroker();
const FOUNDERS = [N1, N2, N3].map(nameOf);
const LATER_N2 = "n2#00000009";

let cluster = "";
let clusters = 0;
beforeEach(() => {
  clusters += 1;
  cluster = `formation-${clusters}`;
});

const changes = new EventEmitter();

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await once(changes, "change");
}

/** One node's link and formation; what would be on its disk is `formed`. */
class FormingNode {
  readonly joining: NodeId[] = [];
  readonly link: AmqpPeerLink;
  formed: Formed | null;
  readonly #formation: Formation;
  readonly #timer: NodeJS.Timeout;

  constructor(memberId: NodeId, formed: Formed | null = null) {
    this.formed = formed;
    this.#formation = new Formation({ memberId, mayFound: true, founders: FOUNDERS, formed });
    this.link = openAmqpPeerLink({
      url,
      cluster,
      memberId,
      incarnation: 1,
      peers: [],
      listener: {
        received: () => undefined,
        unreachable: () => undefined,
        writable: () => undefined,
        hello: (from, hello) => this.#take(this.#formation.received(from, hello)),
      },
      logger: silentLogger(),
      onIdentityLost: (error) => {
        throw error;
      },
    });
    this.#timer = setInterval(
      () => this.#take(this.#formation.tick(performance.now())),
      HELLO_INTERVAL_MS / 5,
    );
    atEnd(() => this.close());
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.link.close();
  }

  #take(outputs: readonly FormationOutput[]): void {
    for (const output of outputs) {
      if (output.kind === "send") this.link.sendHello(output.toName, output.hello);
      else if (output.kind === "found") this.#found(output.members);
      else if (output.kind === "joining") this.joining.push(output.memberId);
    }
    changes.emit("change");
  }

  #found(members: readonly NodeId[]): void {
    // Behind a turn of the loop, as a disk would be.
    setImmediate(() => {
      this.formed = { members, founding: members };
      this.link.setPeers(members);
      this.#take(this.#formation.formed(this.formed));
    });
  }
}

test("Three blank nodes, of which one is late, found one cluster of all.", async () => {
  const early = [N1, N2].map((id) => new FormingNode(id));
  await Promise.all(early.map(({ link }) => link.claimed));
  const nodes = [...early, new FormingNode(N3)];
  await until(() => nodes.every(({ formed }) => formed !== null));
  for (const { formed } of nodes) expect(formed?.members).toEqual([N1, N2, N3]);
});

test("A member that missed the founding founds it; a wiped one asks to be taken in.", async () => {
  const formed = { members: [N1, N2, N3], founding: [N1, N2, N3] };
  const one = new FormingNode(N1, formed);
  const three = new FormingNode(N3);
  const wiped = new FormingNode(LATER_N2);
  await until(() => three.formed !== null && one.joining.includes(LATER_N2));
  expect(three.formed).toEqual(formed);
  expect(wiped.formed).toBeNull();
});
