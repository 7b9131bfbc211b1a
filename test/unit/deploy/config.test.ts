// Where a setting comes from, and what is said about one that cannot be right.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { type ConfigSources, readConfig } from "../../../deploy/config.ts";
import { environmentOf, flagOf, SETTING_NAMES, SETTINGS } from "../../../deploy/settings.ts";
import { temporaryFolder } from "../../support/folder.ts";

const cwd = temporaryFolder("config");

function sources(overrides: Partial<ConfigSources>): ConfigSources {
  return { flags: {}, env: {}, cwd, ...overrides };
}

function problemsOf(overrides: Partial<ConfigSources>): readonly string[] {
  const outcome = readConfig(sources(overrides));
  return outcome.kind === "ok" ? [] : outcome.problems;
}

function fileWith(content: string): string {
  const path = join(temporaryFolder("config-file"), "quorumq.config.json");
  writeFileSync(path, content);
  return path;
}

describe("precedence", () => {
  const configPath = fileWith(
    JSON.stringify({ cluster: "file", grpcPort: 3, members: ["a", "b"] }),
  );
  const env = { QUORUMQ_CLUSTER: "env", QUORUMQ_GRPC_PORT: "2" };

  test("a flag beats the environment, which beats the file, which beats the default", () => {
    const outcome = readConfig(sources({ configPath, env, flags: { cluster: "flag" } }));
    expect(outcome).toMatchObject({
      kind: "ok",
      config: { cluster: "flag", grpcPort: 2, members: ["a", "b"], concurrency: 10, nodeId: null },
    });
  });

  test("what a stack says of itself beats only the default, and is not given", () => {
    const stack = { cluster: "local", address: "127.0.0.1:7" };
    const outcome = readConfig(sources({ env: { QUORUMQ_CLUSTER: "env" }, stack }));
    expect(outcome).toMatchObject({ config: { cluster: "env", address: "127.0.0.1:7" } });
    expect(outcome).toMatchObject({ given: new Set(["cluster"]) });
  });

  test("what lock run tells its command is no mistake of the command's", () => {
    const env = { QUORUMQ_FENCING_TOKEN: "7", QUORUMQ_LOCK_ID: "l-7" };
    expect(readConfig(sources({ env })).kind).toBe("ok");
  });

  test("the defaults alone are a valid configuration", () => {
    expect(readConfig(sources({})).kind).toBe("ok");
  });

  test("quorumq.config.json of the working folder is read without being named", () => {
    writeFileSync(join(cwd, "quorumq.config.json"), JSON.stringify({ cluster: "found" }));
    expect(readConfig(sources({}))).toMatchObject({ config: { cluster: "found" } });
    writeFileSync(join(cwd, "quorumq.config.json"), "{}");
  });

  test("a secret may come from the file that its _FILE twin names", () => {
    const path = join(temporaryFolder("secret"), "amqp");
    writeFileSync(path, "amqp://u:p@broker/v\n");
    const outcome = readConfig(sources({ env: { QUORUMQ_AMQP_URL_FILE: path } }));
    expect(outcome).toMatchObject({ config: { amqpUrl: "amqp://u:p@broker/v" } });
  });
});

describe("problems", () => {
  test("are told all at once, each under the name that the value came in with", () => {
    const problems = problemsOf({
      flags: { grpcPort: "abc" },
      env: { QUORUMQ_LEASE_MS: "5", QUORUMQ_CLUSTR: "x" },
      configPath: fileWith('{"logLevel": "loud", "mebers": "n1"}'),
      required: ["nodeId"],
    });
    expect(problems).toHaveLength(6);
    for (const expected of [
      /^--grpc-port: /,
      /^QUORUMQ_LEASE_MS: /,
      /^QUORUMQ_CLUSTR is not a setting; did you mean QUORUMQ_CLUSTER\?$/,
      /^"logLevel" in the file: /,
      /^"mebers" in .* is not a setting; did you mean members\?$/,
      /^--node-id \(or QUORUMQ_NODE_ID\) is missing: /,
    ]) {
      expect(problems).toContainEqual(expect.stringMatching(expected));
    }
  });

  test("never show a secret", () => {
    const problems = problemsOf({ env: { QUORUMQ_REDIS_URL: "http://hidden-password@x" } });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^QUORUMQ_REDIS_URL: /);
    expect(problems[0]).not.toContain("hidden-password");
  });

  test("include a secret given twice, and a twin that cannot be read", () => {
    expect(
      problemsOf({ env: { QUORUMQ_AMQP_URL: "amqp://x", QUORUMQ_AMQP_URL_FILE: "/absent" } }),
    ).toEqual(["QUORUMQ_AMQP_URL and QUORUMQ_AMQP_URL_FILE are both set: only one may be"]);
    expect(problemsOf({ env: { QUORUMQ_AMQP_URL_FILE: "/absent" } })).toEqual([
      "QUORUMQ_AMQP_URL_FILE: cannot read /absent (ENOENT)",
    ]);
  });

  test("include a named file that is absent or not an object, without a guess far-fetched", () => {
    expect(problemsOf({ configPath: "/absent.json" })).toEqual([
      "/absent.json cannot be used: ENOENT",
    ]);
    expect(problemsOf({ configPath: fileWith("[]") })[0]).toMatch(/not an object of settings$/);
    expect(problemsOf({ configPath: fileWith("{") })[0]).toMatch(/it is not JSON$/);
    expect(problemsOf({ env: { QUORUMQ_ZZZZZZZZZZZZ: "" } })).toEqual([
      "QUORUMQ_ZZZZZZZZZZZZ is not a setting",
    ]);
  });

  test("do not include variables of OpenTelemetry or of the tests", () => {
    const env = { OTEL_SERVICE_NAME: "x", QUORUMQ_TEST_BROKER_SERVICE: "x", PATH: "x" };
    expect(problemsOf({ env })).toEqual([]);
  });
});

describe("names", () => {
  test("follow from the key", () => {
    expect(flagOf("amqpUrl")).toBe("--amqp-url");
    expect(environmentOf("shutdownGraceMs")).toBe("QUORUMQ_SHUTDOWN_GRACE_MS");
  });

  test("every default passes its own check", () => {
    for (const name of SETTING_NAMES) {
      const { schema, default: text } = SETTINGS[name];
      if (text !== null) expect([name, schema.safeParse(text).success]).toEqual([name, true]);
    }
  });

  test("every URL is a secret, since it may carry a password", () => {
    for (const name of SETTING_NAMES.filter((candidate) => candidate.endsWith("Url"))) {
      expect([name, SETTINGS[name].isSecret]).toEqual([name, true]);
    }
  });
});
