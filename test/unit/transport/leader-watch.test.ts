// Which beacons are believed.

import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { LeaderWatch } from "../../../transport/amqp/leader-watch.ts";

const changes: string[] = [];
let watch: LeaderWatch;

beforeEach(() => {
  jest.useFakeTimers();
  changes.length = 0;
  watch = new LeaderWatch(({ leader, term }) => changes.push(`${leader ?? "none"}@${term}`));
});

afterEach(() => {
  watch.close();
  jest.useRealTimers();
});

const hear = (node: string, term: number, incarnation = 1): void =>
  watch.heard({ node, incarnation, term });

test("a repeated beacon is no change, a new life of the leader is one", () => {
  hear("n1", 1);
  hear("n1", 1);
  hear("n1", 1, 2);
  expect(changes).toEqual(["n1@1", "n1@1"]);
});

test("a beacon of an earlier term is ignored while a leader is known", () => {
  hear("n2", 5);
  hear("n1", 4);
  expect(watch.view()).toEqual({ leader: "n2", term: 5 });
});

test("silence ends the view, and after it terms may begin anew", () => {
  hear("n1", 5);
  jest.advanceTimersByTime(1_900);
  hear("n1", 5);
  jest.advanceTimersByTime(1_900);
  expect(watch.view().leader).toBe("n1");
  jest.advanceTimersByTime(200);
  hear("n3", 1);
  expect(changes).toEqual(["n1@5", "none@5", "n3@1"]);
});

test("a leader that resigns is no leader at once, another's resignation changes nothing", () => {
  hear("n1", 1);
  hear("n2", 0);
  hear("n1", 0);
  expect(changes).toEqual(["n1@1", "none@1"]);
});

test("a node that refused is believed again in a later term only", () => {
  hear("n1", 3);
  watch.refusedBy("n1", "");
  hear("n1", 3);
  hear("n2", 2);
  expect(watch.view().leader).toBeNull();
  hear("n1", 4);
  expect(changes).toEqual(["n1@3", "none@3", "n1@4"]);
});

test("another node of the same term is believed after a refusal", () => {
  hear("n1", 3);
  watch.refusedBy("n1", "");
  hear("n2", 3);
  expect(watch.view()).toEqual({ leader: "n2", term: 3 });
});

test("a hint is followed once; its beacon adds nothing", () => {
  hear("n1", 3);
  watch.refusedBy("n1", "n2");
  hear("n2", 3);
  watch.refusedBy("n1", "n3");
  expect(changes).toEqual(["n1@3", "none@3", "n2@3"]);
});

test("a refusal is forgotten after a silence, so that nobody is shut out for good", () => {
  hear("n1", 3);
  watch.refusedBy("n1", "");
  jest.advanceTimersByTime(2_100);
  hear("n1", 3);
  expect(watch.view().leader).toBe("n1");
});

test("a leader whose mailbox was gone is believed at its next beacon", () => {
  hear("n1", 3);
  watch.lostMailboxOf("n1");
  expect(watch.view().leader).toBeNull();
  hear("n1", 3);
  expect(watch.view().leader).toBe("n1");
});
