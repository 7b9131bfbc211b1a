// The command line: which words there are, and what is refused before anything is done.

import { spawnSync } from "node:child_process";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { buildProgram } from "../../../deploy/command.ts";
import { seconds } from "../../../deploy/command-spec.ts";
import { plainJob } from "../../../deploy/output.ts";
import { packageRoot } from "../../../deploy/package-root.ts";
import { VERSION } from "../../../deploy/version.ts";
import { Job } from "../../../protos/gen/quorumq/v1/job.ts";
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
      ...["dev", "node", "gateway", "console", "worker", "submit", "get", "wait", "watch"],
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
    const said = { code: 0, stdout: `${VERSION}\n`, stderr: "" };
    expect([run(["version"]), run(["--version"])]).toEqual([said, said]);
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
    [["list", "--limit", "0"], /not 1, 2, 3/],
    [["submit", "greet", "--delay", "soon"], /'soon' is invalid. not a time such as 90s/],
    [["submit", "greet", "--delay", "0"], /not above 0/],
    [["submit", "greet", "{name: 1}"], /the payload is not JSON/],
    [["submit", "greet", "@absent.json"], /absent\.json cannot be read \(ENOENT\)/],
    [["node"], /--node-id .*is missing/],
    [
      ["node", "--node-id", "n1", "--data-dir", "d", "--heartbeat-interval-ms", "900"],
      /at least three times --heartbeat-interval-ms/,
    ],
    [["worker", "absent.ts"], /absent\.ts cannot be loaded/],
    [["dev", "absent.ts"], /absent\.ts cannot be loaded/],
    [["dev", "--redis-url", "redis://127.0.0.1:1"], /Redis does not answer at 127\.0\.0\.1:1/],
    [["status", "--address", "here"], /--address: must be host:port, as .*got "here"/],
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
    expect(stderr).toMatch(/no gateway answers at 127\.0\.0\.1:1: .*--address.*\(UNREACHABLE\)/);
    expect(stderr).not.toMatch(/Last error|Resolution note/);
    expect(code).toBe(4);
  });

  test("for a gateway or a console at a port that is taken names the port and the setting", async () => {
    const taken = createServer();
    await new Promise<void>((done) => taken.listen(0, "127.0.0.1", done));
    const { port } = taken.address() as AddressInfo;
    const gateway = run(["gateway", "--grpc-port", String(port)]);
    const console = run(["console", "--console-port", String(port)]);
    taken.close();
    expect([gateway.code, console.code]).toEqual([2, 2]);
    expect(gateway.stderr).toMatch(new RegExp(`127.0.0.1:${port} is taken: .*--grpc-port`));
    expect(console.stderr).toMatch(new RegExp(`127.0.0.1:${port} is taken: .*--console-port`));
  });

  test("for health without a fresh file ends with 4", () => {
    expect(run(["health"], { QUORUMQ_HEALTH_FILE: join(cwd, "absent") }).code).toBe(4);
  });
});

describe("a time in an option", () => {
  test.each([
    ["90", 90],
    ["0.5", 0.5],
    ["90s", 90],
    ["250ms", 0.25],
    ["1.5m", 90],
    ["1h", 3_600],
  ])("%s is %p s", (text, wanted) => {
    expect(seconds(text)).toBe(wanted);
  });
});

test("durations in JSON are as the HTTP API has them, payloads as they were sent", () => {
  const job = Job.fromPartial({
    backoff: { initial: { seconds: 1, nanos: 500_000_000 } },
    payload: Buffer.from('{"seconds":1,"nanos":2}'),
  });
  expect(plainJob(job)).toMatchObject({
    backoff: { initial: "1.5s" },
    payload: { seconds: 1, nanos: 2 },
  });
});
