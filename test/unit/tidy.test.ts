// The project's style as failing tests: what may import what, which library lives where, how long
// a file may be, and what may not be left lying about.
//
// Each test names every offence, so that one run tells all there is to do.

import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { packageRoot } from "../../deploy/package-root.ts";
import { importsOf, projectFiles, type SourceFile, sourceFiles } from "../support/source.ts";

const root = packageRoot();
const sources = sourceFiles();
const LINES_MAX = 400;
const COLUMNS_MAX = 100;

/** Folder: the folders it may import from, itself included. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  raft: ["raft"],
  ledger: ["ledger"],
  protos: ["protos"],
  transport: ["transport", "raft", "ledger", "protos"],
  workers: ["workers", "transport", "raft", "ledger", "protos"],
  deploy: ["deploy", "workers", "transport", "raft", "ledger", "protos"],
  console: ["console", "protos"],
  test: ["test", "deploy", "workers", "transport", "raft", "ledger", "protos", "console"],
  examples: ["workers", "examples"],
};

/** Library: the folders whose files may name it. Libraries without a row: deploy and workers. */
const CORNERS: Readonly<Record<string, readonly string[]>> = {
  // An example shows what others write, who have RabbitMQ's client and nothing of ours.
  amqplib: ["transport/amqp/", "workers/examples/"],
  ioredis: ["transport/redis/", "workers/examples/"],
  bullmq: ["transport/redis/"],
  "@grpc/grpc-js": ["transport/grpc/"],
  "@grpc/proto-loader": ["transport/grpc/"],
  "@grpc/reflection": ["transport/grpc/"],
  "grpc-health-check": ["transport/grpc/"],
  "@bufbuild/protobuf": ["transport/"],
  "@opentelemetry/api": ["transport/telemetry/"],
  "@opentelemetry/resources": ["transport/telemetry/"],
  "@opentelemetry/sdk-node": ["transport/telemetry/"],
  "@opentelemetry/sdk-trace": ["transport/telemetry/"],
  "@opentelemetry/exporter-trace-otlp-proto": ["transport/telemetry/"],
  pino: ["transport/telemetry/"],
  commander: ["deploy/"],
  croner: ["transport/"],
  zod: ["deploy/", "workers/"],
};

const PURE = /^(raft|ledger)\//;
/** Whatever makes two runs of the same inputs differ, or leaves the process. */
const IMPURE: readonly (readonly [string, RegExp])[] = [
  ["clock", /\bDate\.now\b|\bnew Date\b|\bperformance\./],
  ["randomness", /\bMath\.random\b|\bcrypto\b|\brandomUUID\b/],
  ["timer", /\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/],
  ["promise", /\bPromise\b|\basync\b|\bawait\b/],
  ["process or console", /\bprocess\.|\bconsole\./],
];

function offences(
  files: readonly SourceFile[],
  find: (file: SourceFile) => readonly string[],
): string[] {
  return files.flatMap((file) => find(file).map((offence) => `${file.path}: ${offence}`));
}

function topFolder(path: string): string {
  return path.split("/")[0] ?? "";
}

/** "@scope/name/sub" and "name/sub" to the name in package.json. */
function libraryOf(specifier: string): string {
  const parts = specifier.split("/");
  return parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith("node:") || builtinModules.includes(specifier);
}

/** Code without comments, so that prose may name what code may not use. */
function codeOf({ text }: SourceFile): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
}

describe("imports", () => {
  test("go one way: raft, ledger <- transport <- workers <- deploy", () => {
    const found = offences(sources, (file) => {
      const allowed = LAYERS[topFolder(file.path)];
      if (allowed === undefined) return [];
      return importsOf(file).flatMap((specifier) => {
        if (!specifier.startsWith(".")) return [];
        const target = normalize(join(dirname(file.path), specifier));
        return allowed.includes(topFolder(target)) ? [] : [`imports ${target}`];
      });
    });
    expect(found).toEqual([]);
  });

  test("of the pure folders reach nothing outside, not even Node", () => {
    const pure = sources.filter(({ path }) => PURE.test(path));
    const found = offences(pure, (file) =>
      importsOf(file)
        .filter((specifier) => !specifier.startsWith("."))
        .map((specifier) => `imports ${specifier}`),
    );
    expect(found).toEqual([]);
  });

  test("keep each library in its corner", () => {
    const product = sources.filter(({ path }) => !path.startsWith("test/"));
    const found = offences(product, (file) =>
      importsOf(file).flatMap((specifier) => {
        if (specifier.startsWith(".") || isBuiltin(specifier)) return [];
        const corner = CORNERS[libraryOf(specifier)];
        if (corner === undefined) return [`imports ${specifier}, which has no corner`];
        return corner.some((folder) => file.path.startsWith(folder))
          ? []
          : [`imports ${specifier}`];
      }),
    );
    expect(found).toEqual([]);
  });

  test("name every built-in module with its node: prefix", () => {
    const found = offences(sources, (file) =>
      importsOf(file).filter(
        (specifier) => !specifier.startsWith("node:") && builtinModules.includes(specifier),
      ),
    );
    expect(found).toEqual([]);
  });
});

describe("the pure folders", () => {
  test.each(IMPURE)("use no %s", (_what, pattern) => {
    const pure = sources.filter(({ path }) => PURE.test(path));
    const found = offences(pure, (file) => codeOf(file).match(pattern) ?? []);
    expect(found).toEqual([]);
  });
});

describe("a source file", () => {
  test("opens with a comment that says what it is", () => {
    const found = offences(sources, ({ lines }) => {
      const first = lines[0]?.startsWith("#!") ? lines[1] : lines[0];
      return first?.startsWith("//") || first?.startsWith("/*") ? [] : ["no opening comment"];
    });
    expect(found).toEqual([]);
  });

  test(`has at most ${LINES_MAX} lines of at most ${COLUMNS_MAX} columns`, () => {
    const found = offences(sources, ({ path, lines }) => [
      ...(lines.length - 1 > LINES_MAX ? [`${lines.length - 1} lines`] : []),
      ...lines.flatMap((line, at) => {
        // A title or an address cannot be broken.
        if (line.length <= COLUMNS_MAX || /https?:\/\/|^\s*(test|describe)\(/.test(line)) return [];
        // Nor can a line of the sources that a patch quotes.
        if (path.startsWith("test/mutant/area/") && line.length <= COLUMNS_MAX + 20) return [];
        return [`line ${at + 1} has ${line.length} columns`];
      }),
    ]);
    expect(found).toEqual([]);
  });

  test("leaves nothing to do, to skip or to single out", () => {
    // Written in halves, so that this file is not its own offence.
    const words = [`TO${"DO"}`, `FIX${"ME"}`, `XX${"X"}`, `@ts-${"ignore"}`, `@ts-no${"check"}`];
    const marks = new RegExp(`${words.join("|")}|\\b(test|it|describe)\\.(only|skip|todo)\\b`);
    const found = offences(sources, ({ lines }) =>
      lines.flatMap((line, at) => (marks.test(line) ? [`line ${at + 1}: ${line.trim()}`] : [])),
    );
    expect(found).toEqual([]);
  });

  test("gives the reason where it switches a lint rule off", () => {
    const found = offences(sources, ({ lines }) =>
      lines.filter(
        (line) => /biome-ignore(?!-)/.test(line) && !/biome-ignore \S+: \S{2,}/.test(line),
      ),
    );
    expect(found).toEqual([]);
  });

  test("has a kebab-case name, in a folder that is not named after nothing", () => {
    const found = offences(sources, ({ path }) => {
      const parts = path.split("/").map((part) => part.replace(/^\./, ""));
      const bad = parts.filter((part) => !/^[a-z0-9]+([-.][a-z0-9]+)*$/.test(part));
      const vague = parts.filter((part) =>
        ["utils", "util", "helpers", "common", "types", "interfaces", "lib", "base"].includes(
          part.replace(/\.(ts|mjs)$/, ""),
        ),
      );
      return [...bad, ...vague];
    });
    expect(found).toEqual([]);
  });
});

describe("documents", () => {
  const documents = projectFiles(/\.md$/);

  test("link only to what exists", () => {
    const found = offences(documents, ({ path, text }) =>
      Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), (match) => match[1] ?? "")
        .filter((link) => !/^([a-z]+:|#)/.test(link))
        .filter((link) => !existsSync(join(root, dirname(path), link.replace(/#.*$/, "")))),
    );
    expect(found).toEqual([]);
  });

  test("there is one for each folder of the project", () => {
    const folders = ["raft", "ledger", "transport", "workers", "deploy", "test", "protos"];
    const missing = folders.filter((folder) => !existsSync(join(root, folder, "README.md")));
    expect(missing).toEqual([]);
  });

  test("explain every dependency of package.json, and none that is not there", () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      readonly dependencies: Readonly<Record<string, string>>;
      readonly devDependencies: Readonly<Record<string, string>>;
    };
    const used = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
    const document = readFileSync(join(root, "docs", "dependencies.md"), "utf8");
    const explained = Array.from(document.matchAll(/^\| `([^`]+)` \| \S/gm), (match) => match[1]);
    expect(explained.toSorted()).toEqual(used.toSorted());
  });

  test("and every other text file hold no path of a machine and no private address", () => {
    const texts = projectFiles(/\.(md|json|ya?ml|ts|mjs)$/).filter(
      ({ path }) => path !== "test/unit/tidy.test.ts",
    );
    const found = offences(
      texts,
      ({ text }) => text.match(/\/(home|Users)\/\w+|\/work\/\w+/) ?? [],
    );
    expect(found).toEqual([]);
  });

  test("pin every dependency to one version", () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Readonly<
      Record<"dependencies" | "devDependencies", Readonly<Record<string, string>>>
    >;
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });
});
