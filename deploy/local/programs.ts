// The foreign programs of the local stack: found on the machine, or installed from its packages.
//
// Guarantees: `findProgram` names a program that can be run as any user, or throws one message
// with what is missing and the command that brings it. `installMissing` only acts where that is
// safe to do unasked: as root, with apt-get, and without starting the system's own services.

import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

export type ProgramName = "rabbitmq-server" | "redis-server" | "epmd";

interface Program {
  /** In order of preference. A bare name is looked up on PATH. */
  readonly candidates: readonly string[];
  /** The Debian package that brings it. */
  readonly debian: string;
  readonly homebrew: string;
  readonly forWhat: string;
}

const PROGRAMS: Readonly<Record<ProgramName, Program>> = {
  "rabbitmq-server": {
    // The real script before the distribution's wrapper, which insists on the system's user.
    candidates: [
      "/usr/lib/rabbitmq/bin/rabbitmq-server",
      "/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server",
      "/usr/local/opt/rabbitmq/sbin/rabbitmq-server",
      "/opt/rabbitmq/sbin/rabbitmq-server",
      "rabbitmq-server",
    ],
    debian: "rabbitmq-server",
    homebrew: "rabbitmq",
    forWhat: "RabbitMQ (set QUORUMQ_AMQP_URL to use a running one)",
  },
  "redis-server": {
    candidates: ["redis-server", "/usr/bin/redis-server", "valkey-server"],
    debian: "redis-server",
    homebrew: "redis",
    forWhat: "Redis (set QUORUMQ_REDIS_URL to use a running one)",
  },
  epmd: {
    candidates: ["epmd", "/usr/bin/epmd", "/usr/lib/erlang/bin/epmd"],
    debian: "erlang-base",
    homebrew: "erlang",
    forWhat: "Erlang's port mapper, which RabbitMQ needs",
  },
};

const POLICY_PATH = "/usr/sbin/policy-rc.d";
/** invoke-rc.d's "action forbidden by policy". */
const POLICY_DENY = "#!/bin/sh\nexit 101\n";
const DPKG_LOCK_SECONDS = 180;

export class ProgramMissingError extends Error {
  override readonly name = "ProgramMissingError";
}

/** The path of a program, or a ProgramMissingError that says how to get it. */
export function findProgram(name: ProgramName): string {
  const path = locate(name);
  if (path === null) throw new ProgramMissingError(missingText([name]));
  return path;
}

export function missingPrograms(names: readonly ProgramName[]): ProgramName[] {
  return names.filter((name) => locate(name) === null);
}

/**
 * Makes the named programs available. `report` is told in one line what takes time.
 * Throws a ProgramMissingError that names everything that is missing.
 */
export async function installMissing(
  names: readonly ProgramName[],
  report: (line: string) => void,
): Promise<void> {
  const missing = missingPrograms(names);
  if (missing.length === 0) return;
  if (!mayInstall()) throw new ProgramMissingError(missingText(missing));
  const packages = [...new Set(missing.map((name) => PROGRAMS[name].debian))];
  report(`installing ${packages.join(" and ")} from the distribution (about a minute) …`);
  try {
    await installDebian(packages);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new ProgramMissingError(`${missingText(missing)}\ntried that: ${cause}`, {
      cause: error,
    });
  }
  const still = missingPrograms(names);
  if (still.length > 0) throw new ProgramMissingError(missingText(still));
}

/** What is missing, what it is for, and the command. */
export function missingText(names: readonly ProgramName[]): string {
  const what = names.map((name) => `  ${name}: ${PROGRAMS[name].forWhat}`);
  const debian = [...new Set(names.map((name) => PROGRAMS[name].debian))].join(" ");
  const homebrew = [...new Set(names.map((name) => PROGRAMS[name].homebrew))].join(" ");
  const command =
    process.platform === "darwin"
      ? `brew install ${homebrew}`
      : `sudo apt-get update && sudo apt-get install --no-install-recommends ${debian}`;
  return ["missing programs:", ...what, `bring them with: ${command}`].join("\n");
}

function locate(name: ProgramName): string | null {
  for (const candidate of PROGRAMS[name].candidates) {
    const paths = candidate.includes("/")
      ? [candidate]
      : (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, candidate));
    const found = paths.find(isExecutable);
    if (found !== undefined) return found;
  }
  return null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // Absent or not ours to run: both mean that it cannot be used.
  }
}

function mayInstall(): boolean {
  return process.getuid?.() === 0 && isExecutable("/usr/bin/apt-get");
}

async function installDebian(packages: readonly string[]): Promise<void> {
  const lock = ["-o", `DPkg::Lock::Timeout=${DPKG_LOCK_SECONDS}`];
  await aptGet([...lock, "update"]);
  // The packages would start their services on the default ports; the policy forbids just that.
  const ownPolicy = !existsSync(POLICY_PATH);
  if (ownPolicy) writeFileSync(POLICY_PATH, POLICY_DENY, { mode: 0o755 });
  try {
    await aptGet([...lock, "install", "--yes", "--no-install-recommends", ...packages]);
  } finally {
    if (ownPolicy) rmSync(POLICY_PATH, { force: true });
  }
}

function aptGet(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("/usr/bin/apt-get", ["-qq", ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const keep = (chunk: Buffer): void => {
      output = `${output}${chunk.toString("utf8")}`.slice(-4_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`apt-get ${args.join(" ")} exited with code ${code}:\n${output}`));
    });
  });
}
