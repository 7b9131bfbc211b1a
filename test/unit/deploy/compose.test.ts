// The image and the compose file, checked for what a review would look for. Neither is run here.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { buildProgram } from "../../../deploy/command.ts";
import { packageRoot } from "../../../deploy/package-root.ts";
import { environmentOf, SETTING_NAMES } from "../../../deploy/settings.ts";

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly init: boolean;
  readonly stop_grace_period: string;
  readonly healthcheck: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

const root = packageRoot();
const text = readFileSync(join(root, "deploy", "compose.yaml"), "utf8");
const compose = parse(text, { merge: true }) as Compose;
const services = Object.entries(compose.services);
const own = services.filter(([, service]) => service.image.startsWith("quorumq:"));
const dockerfile = readFileSync(join(root, "deploy", "Dockerfile"), "utf8");

describe("compose.yaml", () => {
  test("has three nodes, a gateway, a console, two workers and what they stand on", () => {
    expect(services.map(([name]) => name).toSorted()).toEqual([
      ...["console", "gateway", "jaeger", "n1", "n2", "n3", "rabbitmq", "redis"],
      ...["worker-1", "worker-2"],
    ]);
  });

  test.each(services)(
    "%s has a pinned image, a health check and time to stop",
    (_name, service) => {
      expect(service.image).toMatch(/:(\d+\.\d+\.\d+(-[a-z]+)?|local)$/);
      expect(service.healthcheck.test[0]).toBe("CMD");
      expect(service.stop_grace_period).toMatch(/^\d+s$/);
      expect(service.init || service.image === "quorumq:local").toBe(true);
    },
  );

  test.each(services)("%s publishes its ports on loopback only", (_name, service) => {
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  test.each(services)("%s waits for the health of what it needs", (_name, service) => {
    for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(compose.services).toHaveProperty(needed);
      expect(condition).toBe("service_healthy");
    }
  });

  test.each(own)("%s runs a command of the CLI with flags that it knows", (_name, service) => {
    const [word = "", ...rest] = service.command ?? [];
    const command = buildProgram(() => undefined).commands.find((known) => known.name() === word);
    const known = command?.options.map((option) => option.long);
    expect(known).toEqual(expect.arrayContaining(rest.filter((flag) => flag.startsWith("--"))));
  });

  test.each(own)("%s gets only settings that exist, and no secret inline", (_name, service) => {
    const known = SETTING_NAMES.flatMap((name) => {
      const variable = environmentOf(name);
      return [variable, `${variable}_FILE`];
    });
    for (const name of Object.keys(service.environment ?? {})) {
      if (!name.startsWith("OTEL_")) expect(known).toContain(name);
    }
  });

  test("holds no password, and takes secrets from files that git ignores", () => {
    expect(text.replaceAll(/^\s*#.*$/gm, "")).not.toMatch(/guest|password\s*[:=]|:\/\/[^/\s"]*@/i);
    for (const { file } of Object.values(compose.secrets)) expect(file).toMatch(/^\.\/secrets\//);
    expect(existsSync(join(root, "deploy", "secrets", ".gitignore"))).toBe(true);
  });

  test("keeps each node's log in a volume of its own", () => {
    const volumes = ["n1", "n2", "n3"].map((name) => compose.services[name]?.volumes?.[0]);
    expect(volumes).toEqual(["n1-data:/data", "n2-data:/data", "n3-data:/data"]);
    for (const volume of volumes) {
      expect(compose.volumes).toHaveProperty([String(volume).replace(":/data", "")]);
    }
  });

  test("runs a Redis that evicts nothing and keeps nothing", () => {
    const command = compose.services["redis"]?.command?.join(" ");
    expect(command).toContain("--maxmemory-policy noeviction");
    expect(command).toContain("--appendonly no");
  });

  test("names job files that the build makes from sources that are there", () => {
    for (const file of compose.services["worker-1"]?.command?.slice(1) ?? []) {
      const source = file.replace("/app/dist/", "").replace(/\.js$/, ".ts");
      expect([source, existsSync(join(root, source))]).toEqual([source, true]);
    }
  });
});

describe("the Dockerfile", () => {
  const instructions = dockerfile.replaceAll(/\\\n/g, " ").split("\n");
  const stages = instructions.filter((line) => line.startsWith("FROM "));
  const final = dockerfile.slice(dockerfile.lastIndexOf("\nFROM "));

  test("builds in stages from the Node that the lock file pins", () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      readonly devDependencies: { readonly node: string };
    };
    expect(stages).toHaveLength(3);
    for (const stage of stages) {
      expect(stage).toContain(`node:${manifest.devDependencies.node}-bookworm-slim AS `);
    }
  });

  test("ends as an unprivileged user, without npm, with a process 1 and a health check", () => {
    expect(final).toMatch(/^USER node$/m);
    expect(final).not.toMatch(/^RUN .*npm (ci|install)/m);
    expect(final).toContain("/usr/local/bin/npm");
    expect(final).toMatch(/^ENTRYPOINT \["\/usr\/bin\/tini"/m);
    expect(final).toMatch(/^HEALTHCHECK .*CMD \["quorumq", "health"\]$/m);
    expect(final).toMatch(/NODE_ENV=production/);
  });

  test("installs from the lock file only", () => {
    const npm = instructions.filter((line) => /\bnpm\b/.test(line) && line.startsWith("RUN npm"));
    expect(npm.length).toBeGreaterThan(0);
    for (const line of npm) expect(line).toContain("npm ci");
  });

  test("copies only what is there and what .dockerignore lets in", () => {
    const allowed = readFileSync(join(root, ".dockerignore"), "utf8")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1));
    const copies = instructions.filter((line) => /^COPY (?!--from)/.test(line));
    for (const source of copies.flatMap((line) => line.split(/\s+/).slice(1, -1))) {
      expect([source, existsSync(join(root, source))]).toEqual([source, true]);
      expect(allowed).toContain(source.split("/")[0]);
    }
  });
});
