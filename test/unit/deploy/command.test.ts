// The command line: which words there are, and what is refused before anything is done.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { buildProgram } from "../../../deploy/command.ts";
import { packageRoot } from "../../../deploy/package-root.ts";
import { VERSION } from "../../../deploy/version.ts";
import { temporaryFolder } from "../../support/folder.ts";

const cwd = temporaryFolder("cli");
const CLI = join(packageRoot(), "deploy", "cli.ts");

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(words: readonly string[], env: Readonly<Record<string, string>> = {}): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...words], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1", ...env },
    encoding: "utf8",
    timeout: 20_000,
  });
  return { code: status, stdout, stderr };
}

describe("the commands", () => {
  test("are the published ones", () => {
    const names = buildProgram(() => undefined).commands.map((command) => command.name());
    expect(names).toEqual([
      ...["dev", "node", "gateway", "console", "worker", "submit", "get", "wait"],
      ...["list", "cancel", "retry", "redrive", "lock", "queue", "schedule"],
      ...["status", "cluster", "ledger", "health", "version"],
    ]);
  });

  test.each([
    ["cluster", ["status", "add", "remove", "transfer", "snapshot", "verify"]],
    ["ledger", ["tail", "verify"]],
    ["lock", ["list", "run"]],
  ])("of an operator are under %s", (group, names) => {
    const { commands } = buildProgram(() => undefined);
    const found = commands.find((one) => one.name() === group)?.commands;
    expect(found?.map((command) => command.name())).toEqual(names);
  });

  test("each explain the variable and the default of every setting they take", () => {
    const node = buildProgram(() => undefined).commands.find((one) => one.name() === "node");
    const help = node?.helpInformation().replaceAll(/\s+/g, " ");
    expect(help).toContain("QUORUMQ_NODE_ID");
    expect(help).toContain("(QUORUMQ_MEMBERS, default n1,n2,n3)");
  });
});

describe("a command line", () => {
  test("for the version prints it on stdout and nothing else", () => {
    expect(run(["version"])).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: "" });
  });

  test("that asks for help succeeds; without a command it does not", () => {
    expect(run(["--help"]).code).toBe(0);
    expect(run([]).code).toBe(2);
  });

  test.each([
    [["bogus"], /unknown command/],
    [["get", "j-1", "--bogus"], /unknown option/],
    [["get"], /missing required argument/],
    [["list", "--state", "odd"], /Allowed choices/],
    [["submit", "greet", "{name: 1}"], /the payload is not JSON/],
    [["submit", "greet", "@absent.json"], /absent\.json cannot be read \(ENOENT\)/],
    [["node"], /--node-id .*is missing/],
    [
      ["node", "--node-id", "n1", "--data-dir", "d", "--heartbeat-interval-ms", "900"],
      /at least three times --heartbeat-interval-ms/,
    ],
    [["worker", "absent.ts"], /absent\.ts cannot be loaded/],
    [["gateway", "--grpc-port", "70000"], /--grpc-port: /],
    [["cluster"], /Usage: quorumq cluster/],
    [["cluster", "bogus"], /unknown command/],
    [["cluster", "add"], /missing required argument/],
    [["cluster", "remove", "n3"], /out of the quorum.*--yes/],
    [["ledger", "tail", "--from", "-1"], /not 0, 1, 2/],
    [["ledger", "verify", "--to", "5"], /only with --data-dir/],
    [["ledger", "verify", "--data-dir", "absent"], /absent cannot be read/],
  ])("%j is a usage error, said on stderr", (words, message) => {
    const { code, stdout, stderr } = run(words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test.each([
    [["status", "--timeout", "5"]],
    [["cluster", "status", "--timeout", "5"]],
    [["ledger", "tail", "--follow"]],
  ])("%j that finds nobody at the address ends with 4", (words) => {
    const { code, stderr } = run([...words, "--address", "127.0.0.1:1"]);
    expect(stderr).toMatch(/UNREACHABLE/);
    expect(code).toBe(4);
  });

  test("for health without a fresh file ends with 4", () => {
    expect(run(["health"], { QUORUMQ_HEALTH_FILE: join(cwd, "absent") }).code).toBe(4);
  });
});
