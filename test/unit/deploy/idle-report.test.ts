// What a worker says while it takes no jobs.

import { expect, test } from "@jest/globals";
import { IdleReport } from "../../../deploy/idle-report.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";

test("a worker says why it takes no jobs, once a change, and at first what to look at", () => {
  const said: string[] = [];
  const note = (level: string) => (facts: unknown, text: unknown) => {
    said.push(`${level} ${JSON.stringify(facts)} ${text}`);
  };
  const logger = Object.assign(silentLogger(), { info: note("info"), warn: note("warn") });
  let problem: string | null = "no leader is known";
  const report = new IdleReport({ problem: () => problem, cluster: "main", logger });
  const looks = (count: number): void => {
    for (let at = 0; at < count; at += 1) report.look();
  };
  const facts = JSON.stringify({ cluster: "main" });
  looks(4);
  looks(4);
  const advice = "do nodes of this cluster run? --cluster names another";
  expect(said).toEqual([`warn ${facts} takes no jobs: no leader is known; ${advice}`]);
  problem = null;
  looks(2);
  expect(said.slice(1)).toEqual([`info ${facts} takes jobs`]);
  problem = "no leader is known";
  looks(3);
  problem = null;
  looks(1);
  expect(said.slice(2)).toEqual([]);
  problem = "no leader is known";
  looks(5);
  expect(said.slice(2)).toEqual([`warn ${facts} takes no jobs: no leader is known`]);
});
