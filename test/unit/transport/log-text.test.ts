// How a log line looks on a terminal.

import { expect, test } from "@jest/globals";
import { logText } from "../../../transport/telemetry/log-text.ts";

const base = { level: "info", time: "2026-11-25T22:19:03.208Z", component: "worker", id: "w1" };

test.each([
  [
    { ...base, cluster: "local-1", msg: "takes jobs" },
    "22:19:03.208  takes jobs  cluster=local-1\n",
  ],
  [
    { ...base, level: "warn", kinds: ["a"], broker: "x y", n: 3, msg: "odd" },
    '22:19:03.208  warning:  odd  kinds=["a"]  broker="x y"  n=3\n',
  ],
  [
    {
      ...base,
      level: "fatal",
      err: { type: "Error", stack: "Error: no\n    at here" },
      msg: "ends",
    },
    "22:19:03.208  fatal:  ends\nError: no\n    at here\n",
  ],
])("%j is one line for people", (facts, text) => {
  expect(logText(`${JSON.stringify(facts)}\n`)).toBe(text);
});

test.each(["not JSON\n", "null\n", "7\n"])("%j is no log line and stays as it is", (line) => {
  expect(logText(line)).toBe(line);
});
