// The commands of the golden scenarios; test/scenario/golden/README.md explains them to readers.
//
// Guarantees: a word that is not understood ends the scenario: no command does nothing by mistake,
// and a message that is to be delivered, doubled or dropped must be there.
// Does not own: what the nodes do (scenario-cluster.ts).

import type { NodeId } from "../../raft/message.ts";
import type { Limits } from "../../raft/node.ts";
import { entryOf } from "./raft-bench.ts";
import { emptyDisk, type Flight, type Host, type ScenarioCluster } from "./scenario-cluster.ts";
import {
  configurationText,
  logText,
  messageText,
  messageWord,
  progressText,
  statusText,
} from "./scenario-notation.ts";

/** The limits that a scenario may set, by the word it uses. */
const LIMIT_WORDS: Readonly<Record<string, keyof Limits>> = {
  batch: "appendEntriesMax",
  "batch-bytes": "appendBytesMax",
  inflight: "inflightMax",
  "inflight-bytes": "inflightBytesMax",
  uncommitted: "uncommittedEntriesMax",
  "uncommitted-bytes": "uncommittedBytesMax",
  trailing: "trailingEntriesMax",
  chunk: "snapshotChunkBytes",
  window: "snapshotWindow",
  lag: "promotionLagMax",
};

/** Words, and words with a value: `membership n1 voters=n1,n2` has one of each. */
class Words {
  readonly plain: readonly string[];
  readonly #given: Map<string, string>;
  readonly #line: string;

  constructor(line: string, rest: readonly string[]) {
    this.#line = line;
    this.plain = rest.filter((word) => !/^[\w-]+=/.test(word));
    const given = rest.filter((word) => /^[\w-]+=/.test(word));
    this.#given = new Map(
      given.map((word) => {
        const at = word.indexOf("=");
        return [word.slice(0, at), word.slice(at + 1)] as const;
      }),
    );
  }

  at(place: number): string {
    const word = this.plain[place];
    if (word === undefined) throw new Error(`too few words: ${this.#line}`);
    return word;
  }

  value(key: string): string | null {
    const value = this.#given.get(key) ?? null;
    this.#given.delete(key);
    return value;
  }

  list(key: string): string[] {
    const value = this.value(key);
    return value === null || value === "" ? [] : value.split(",");
  }

  number(key: string): number | null {
    const value = this.value(key);
    return value === null ? null : Number(value);
  }

  /** To be called last. */
  checkAllUsed(): void {
    const [left] = this.#given.keys();
    if (left !== undefined) throw new Error(`nothing is known of ${left}: ${this.#line}`);
  }
}

/** Carries one command out; what is to be seen of it is in cluster.lines. */
export function runCommand(cluster: ScenarioCluster, line: string): void {
  const [first, ...rest] = line.trim().split(/\s+/);
  if (first === "quiet") {
    const { lines } = cluster;
    cluster.lines = [];
    runCommand(cluster, rest.join(" "));
    cluster.lines = lines;
    return;
  }
  const command = COMMANDS[first ?? ""];
  if (command === undefined) throw new Error(`no such command: ${line}`);
  const words = new Words(line, rest);
  command(cluster, words);
  words.checkAllUsed();
}

type Command = (cluster: ScenarioCluster, words: Words) => void;

const COMMANDS: Readonly<Record<string, Command>> = {
  cluster(cluster, words) {
    const limits: Record<string, number> = { ...cluster.limits };
    for (const [word, name] of Object.entries(LIMIT_WORDS)) {
      const value = words.number(word);
      if (value !== null) limits[name] = value;
    }
    cluster.limits = limits as unknown as Limits;
    cluster.isDiskInstant = words.value("disk") === "instant";
    cluster.found(words.plain, words.list("learners"));
  },

  /** Starts a node of the cluster anew with this disk. */
  disk(cluster, words) {
    const host = cluster.host(words.at(0));
    const terms = words.list("log").map(Number);
    const entries = terms.map((term, place) => ({
      ...entryOf(term, place + 1),
      data: new TextEncoder().encode("x"),
    }));
    const currentTerm = words.number("term") ?? terms.at(-1) ?? 0;
    const hardState = { currentTerm, votedFor: words.value("vote") };
    cluster.crash(host);
    host.disk = { ...emptyDisk(host.disk.snapshot), hardState, entries };
    cluster.start(host);
  },

  /** A node that is no member of anything. */
  join(cluster, words) {
    for (const id of words.plain) cluster.add(id, emptyDisk(null));
  },

  found(cluster, words) {
    const voters = words.list("voters");
    for (const id of words.plain) cluster.step(cluster.host(id), { kind: "found", voters });
  },

  tick(cluster, words) {
    const forMs = Number(words.at(words.plain.length - 1));
    if (Number.isNaN(forMs)) throw new Error("tick names how many milliseconds");
    for (const host of hostsOf(cluster, words.plain.slice(0, -1))) {
      host.nowMs += forMs;
      cluster.step(host, { kind: "tick" });
    }
  },

  /** The clock moves on; the node has not looked at it yet. */
  wait(cluster, words) {
    const forMs = Number(words.at(words.plain.length - 1));
    for (const host of hostsOf(cluster, words.plain.slice(0, -1))) host.nowMs += forMs;
  },

  campaign(cluster, words) {
    for (const id of words.plain) campaign(cluster, cluster.host(id));
  },

  /** elect n1 [n1 n2]: a campaign, and all that comes of it among these. */
  elect(cluster, words) {
    const among = words.plain.slice(1);
    briefly(cluster, () => {
      campaign(cluster, cluster.host(words.at(0)));
      cluster.settle(among.length > 0 ? among : allIds(cluster));
    });
  },

  /** win n1 [n1 n2]: an election among these, and nothing that the leader then sends. */
  win(cluster, words) {
    const among = words.plain.slice(1);
    const votes = ["pre-vote?", "pre-vote", "vote?", "vote"];
    briefly(cluster, () => {
      campaign(cluster, cluster.host(words.at(0)));
      cluster.settle(among.length > 0 ? among : allIds(cluster), votes);
    });
  },

  settle(cluster, words) {
    const among = words.plain.length > 0 ? words.plain : allIds(cluster);
    briefly(cluster, () => cluster.settle(among));
  },

  deliver(cluster, words) {
    for (const flight of picked(cluster, words)) cluster.deliver(flight);
  },

  drop(cluster, words) {
    for (const flight of picked(cluster, words)) {
      cluster.flights.splice(cluster.flights.indexOf(flight), 1);
      cluster.print(`lost: ${flightText(flight)}`);
    }
  },

  duplicate(cluster, words) {
    for (const flight of picked(cluster, words)) {
      cluster.flights.push({ ...flight });
      cluster.print(`doubled: ${flightText(flight)}`);
    }
  },

  inflight(cluster) {
    for (const flight of cluster.flights) cluster.print(flightText(flight));
  },

  propose(cluster, words) {
    const proposals = words.plain.slice(1).map((text) => ({
      requestId: cluster.nextRequestId(),
      data: new TextEncoder().encode(text),
      traceparent: "",
    }));
    cluster.step(cluster.host(words.at(0)), { kind: "proposed", proposals });
  },

  read(cluster, words) {
    const requestId = cluster.nextRequestId();
    cluster.step(cluster.host(words.at(0)), { kind: "read", requestId });
  },

  /** persist n1 [count] */
  persist(cluster, words) {
    const count = words.plain.length > 1 ? Number(words.at(1)) : undefined;
    const hosts = hostsOf(cluster, words.plain.slice(0, 1));
    for (const host of hosts) cluster.completeWrites(host, count);
  },

  crash(cluster, words) {
    const kept = words.number("kept") ?? 0;
    for (const host of hostsOf(cluster, words.plain)) cluster.crash(host, kept);
  },

  restart(cluster, words) {
    for (const host of hostsOf(cluster, words.plain)) cluster.start(host);
  },

  snapshot(cluster, words) {
    const host = cluster.host(words.at(0));
    cluster.takeSnapshot(host, words.number("index") ?? cluster.upNode(host.id).lastApplied);
  },

  verify(cluster, words) {
    cluster.verify(cluster.host(words.at(0)), words.plain[1] === "damaged");
  },

  membership(cluster, words) {
    const requestId = cluster.nextRequestId();
    const target = { voters: words.list("voters"), learners: words.list("learners") };
    cluster.step(cluster.host(words.at(0)), { kind: "membership", requestId, target });
  },

  transfer(cluster, words) {
    const requestId = cluster.nextRequestId();
    const to = words.value("to");
    cluster.step(cluster.host(words.at(0)), { kind: "transfer", requestId, to });
  },

  unreachable(cluster, words) {
    cluster.step(cluster.host(words.at(0)), { kind: "unreachable", peer: words.at(1) });
  },

  status(cluster, words) {
    for (const { id, node } of hostsOf(cluster, words.plain)) {
      cluster.print(node === null ? `${id} is down` : `${id} ${statusText(node)}`);
    }
  },

  members(cluster, words) {
    for (const { id } of hostsOf(cluster, words.plain)) {
      cluster.print(`${id} ${configurationText(cluster.upNode(id).configuration)}`);
    }
  },

  log(cluster, words) {
    for (const { id } of hostsOf(cluster, words.plain)) {
      cluster.print(`${id} ${logText(cluster.upNode(id))}`);
    }
  },

  progress(cluster, words) {
    for (const line of progressText(cluster.upNode(words.at(0)))) cluster.print(line);
  },

  /** The state machine: what a reader would see. */
  state(cluster, words) {
    for (const { id, state } of hostsOf(cluster, words.plain)) {
      cluster.print(`${id} state: ${[...state.values()].join(" ") || "empty"}`);
    }
  },
};

function allIds(cluster: ScenarioCluster): NodeId[] {
  return [...cluster.hosts.keys()];
}

/** All nodes that are up if none is named, or "all" is. */
function hostsOf(cluster: ScenarioCluster, names: readonly string[]): Host[] {
  if (names.length > 0 && names[0] !== "all") return names.map((id) => cluster.host(id));
  return [...cluster.hosts.values()];
}

/** Its clock reaches its election timeout; a leader's silence is not what makes it wait. */
function campaign(cluster: ScenarioCluster, host: Host): void {
  host.nowMs = Math.max(host.nowMs, cluster.upNode(host.id).electionDeadlineMs);
  cluster.step(host, { kind: "tick" });
}

function briefly(cluster: ScenarioCluster, run: () => void): void {
  cluster.isBrief = true;
  run();
  cluster.isBrief = false;
}

function flightText({ from, to, message }: Flight): string {
  return `${from} -> ${to} ${messageText(message)}`;
}

/** all | n1->n2 | n1->* | *->n2, then a message's word, then first, last or a number from 1. */
function picked(cluster: ScenarioCluster, { plain }: Words): Flight[] {
  const [link, ...narrowing] = plain;
  let flights = cluster.flights;
  if (link !== "all") {
    const [from, to] = (link ?? "").split("->");
    flights = flights.filter(
      (flight) => (from === "*" || flight.from === from) && (to === "*" || flight.to === to),
    );
  }
  for (const word of narrowing) {
    if (word === "first") flights = flights.slice(0, 1);
    else if (word === "last") flights = flights.slice(-1);
    else if (/^\d+$/.test(word)) flights = flights.slice(Number(word) - 1, Number(word));
    else flights = flights.filter(({ message }) => messageWord(message) === word);
  }
  if (flights.length === 0 && link !== "all")
    throw new Error(`no message is under way: ${plain.join(" ")}`);
  return [...flights];
}
