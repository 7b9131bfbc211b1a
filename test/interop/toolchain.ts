// What it takes to run a client in another language: its packages, fetched, and its stubs, made of
// today's protos. `npm run interop` prepares it; tests only look whether it is there.
//
// Guarantees: all of it lives in .quorumq/interop. A toolchain whose sources or protos have changed
// since counts as not prepared. No step takes longer than its time.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../../deploy/package-root.ts";

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Workers {
  /** The short one to copy; takes an address and an id. */
  readonly short: Program;
  /** The one that resumes, with the tests' handlers; takes an address, an id, queue and lease. */
  readonly resuming: Program;
}

export interface Toolchain {
  readonly language: "Python" | "Go";
  /** The caller of the tests; takes the addresses. */
  readonly client: Program;
  readonly workers: Workers | null;
  /** Throws what is in the way. */
  prepare(): Promise<void>;
}

const ROOT = packageRoot();
const HERE = import.meta.dirname;
const PLACE = join(ROOT, ".quorumq", "interop");
const PROTOS = ["helloworld.proto", ...protosBelow("quorumq/v1")];
const STEP_MS = 240_000;
const STAMP = "prepared";

export const TOOLCHAINS: readonly Toolchain[] = [python(), go()];

/** The ones that can be run as they are. */
export function preparedToolchains(): Toolchain[] {
  return TOOLCHAINS.filter(({ language }) => {
    const stamp = join(placeOf(language), STAMP);
    return existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint(language);
  });
}

function python(): Toolchain {
  const place = placeOf("Python");
  const sources = join(HERE, "python");
  const interpreter = join(place, "venv", "bin", "python");
  const gen = join(place, "gen");
  const examples = join(ROOT, "workers", "examples", "python");
  const path = [gen, sources, examples].join(delimiter);
  const env = { PYTHONPATH: path, PYTHONUNBUFFERED: "1", PYTHONDONTWRITEBYTECODE: "1" };
  return {
    language: "Python",
    client: { command: interpreter, args: [join(sources, "client.py")], env },
    workers: {
      short: { command: interpreter, args: [join(examples, "worker.py")], env },
      resuming: { command: interpreter, args: [join(sources, "interop_worker.py")], env },
    },
    async prepare() {
      begin(place);
      if (!existsSync(interpreter)) {
        await step(place, "python3", ["-m", "venv", join(place, "venv")]);
      }
      const requirements = join(sources, "requirements.txt");
      const quiet = ["--quiet", "--disable-pip-version-check"];
      await step(place, interpreter, ["-m", "pip", "install", ...quiet, "-r", requirements]);
      rmSync(gen, { recursive: true, force: true });
      mkdirSync(gen);
      const out = [`--python_out=${gen}`, `--grpc_python_out=${gen}`];
      const protos = ["-I", join(ROOT, "protos"), ...out, ...PROTOS];
      await step(place, interpreter, ["-m", "grpc_tools.protoc", ...protos]);
      end("Python");
    },
  };
}

function go(): Toolchain {
  const place = placeOf("Go");
  return {
    language: "Go",
    client: { command: join(place, "client"), args: [], env: {} },
    workers: null,
    async prepare() {
      begin(place);
      cpSync(join(HERE, "go"), place, { recursive: true });
      const paths = PROTOS.flatMap((proto) => ["--path", join(ROOT, "protos", proto)]);
      await step(place, "go", ["mod", "download"]);
      await step(place, "buf", ["generate", ROOT, "--template", "buf.gen.yaml", ...paths]);
      await step(place, "go", ["build", "-o", "client", "."]);
      end("Go");
    },
  };
}

function placeOf(language: Toolchain["language"]): string {
  return join(PLACE, language.toLowerCase());
}

function begin(place: string): void {
  mkdirSync(place, { recursive: true });
  rmSync(join(place, STAMP), { force: true });
}

function end(language: Toolchain["language"]): void {
  writeFileSync(join(placeOf(language), STAMP), fingerprint(language));
}

/** Of all that the stubs and the programs are made of, but the programs that run as they are. */
function fingerprint(language: Toolchain["language"]): string {
  const hash = createHash("sha256");
  const own = language === "Python" ? ["requirements.txt"] : readdirSync(join(HERE, "go")).sort();
  for (const proto of PROTOS) hash.update(readFileSync(join(ROOT, "protos", proto)));
  for (const name of own) hash.update(readFileSync(join(HERE, language.toLowerCase(), name)));
  return hash.digest("hex");
}

function protosBelow(folder: string): string[] {
  const names = readdirSync(join(ROOT, "protos", folder)).sort();
  return names.filter((name) => name.endsWith(".proto")).map((name) => `${folder}/${name}`);
}

async function step(cwd: string, command: string, args: readonly string[]): Promise<void> {
  const tools = join(ROOT, "node_modules", ".bin");
  const env = { ...process.env, PATH: `${tools}${delimiter}${process.env["PATH"] ?? ""}` };
  await promisify(execFile)(command, args, { cwd, env, timeout: STEP_MS });
}
