// The entry of `npm start`, `npm test` and `npm run …`: sets everything up, then runs the rest.
//
//   node deploy/bootstrap.mjs [--node-option …] <file.ts | file.js | command> [argument …]
//
// Guarantees: works in a fresh clone with nothing but Node (20 or newer) and npm. Dependencies are
// exactly those of package-lock.json, installed when they are missing or others. The rest runs
// under the locked Node, with node_modules/.bin on PATH, this process's terminal, its signals and
// its exit code. Plain JavaScript without dependencies, since it runs before either exists.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const BIN = join(ROOT, "node_modules", ".bin");
const INSTALL_LOCK = join(ROOT, ".quorumq", "install.lock");
const NODE_MIN = [24, 11, 1];
const POLL_MS = 500;

await main(process.argv.slice(2));

async function main(words) {
  if (words.length === 0) fail("usage: node deploy/bootstrap.mjs <file.ts | command> [argument …]");
  if (!isInstalled()) await install();
  const node = pinnedNode() ?? repairNode();
  const options = words.findIndex((word) => !word.startsWith("--"));
  const [target, ...args] = words.slice(options);
  const isScript = /\.[cm]?[jt]s$/.test(target);
  if (isScript) run(node, [...words.slice(0, options), join(ROOT, target), ...args]);
  else run(join(BIN, target), args);
}

/** True when npm's own record of what it installed agrees with the lock file. */
function isInstalled() {
  const record = readJson(join(ROOT, "node_modules", ".package-lock.json"));
  const lock = readJson(join(ROOT, "package-lock.json"));
  if (record === null || lock === null) return false;
  return Object.entries(lock.packages).every(([path, wanted]) => {
    const present = record.packages[path];
    // Optional ones are for other platforms when they are absent.
    if (present === undefined) return path === "" || wanted.optional === true;
    return present.version === wanted.version;
  });
}

async function install() {
  await takeInstallLock();
  try {
    if (isInstalled()) return; // Somebody else was at it.
    say("installing the locked dependencies (about half a minute, once) …");
    const startedMs = Date.now();
    npm(["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"]);
    say(`dependencies installed in ${Math.round((Date.now() - startedMs) / 1000)} s`);
  } finally {
    rmSync(INSTALL_LOCK, { force: true });
  }
}

/** Two commands started together in a fresh clone must not install over each other. */
async function takeInstallLock() {
  mkdirSync(dirname(INSTALL_LOCK), { recursive: true });
  for (let said = false; ; said = true) {
    try {
      writeFileSync(INSTALL_LOCK, String(process.pid), { flag: "wx" });
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const holder = Number(readOr(INSTALL_LOCK, ""));
    if (holder > 0 && !isAlive(holder)) rmSync(INSTALL_LOCK, { force: true });
    else if (!said) say(`waiting for the installation that process ${holder} is doing …`);
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

/** The Node that the lock file names, or null if it is not there. */
function pinnedNode() {
  const path = join(BIN, "node");
  if (!existsSync(path)) return null;
  const { stdout, status } = spawnSync(path, ["--version"], { encoding: "utf8" });
  return status === 0 && isNewEnough(stdout.trim()) ? path : null;
}

/** npm leaves the Node out when install scripts are off: fetch it, or do with this one. */
function repairNode() {
  say("fetching the locked Node …");
  npm(["rebuild", "node", "--ignore-scripts=false", "--loglevel=error"], { mayFail: true });
  const node = pinnedNode();
  if (node !== null) return node;
  if (isNewEnough(process.version)) return process.execPath;
  return fail(
    `Node ${NODE_MIN.join(".")} or newer is needed; this is ${process.version}, and the locked\n` +
      "one could not be installed. Try `npm rebuild node`, or install Node from nodejs.org.",
  );
}

function npm(args, { mayFail = false } = {}) {
  // npm must not run under the very Node that it is about to replace.
  const outside = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== BIN);
  const { status, error } = spawnSync("npm", args, {
    cwd: ROOT,
    env: { ...process.env, PATH: outside.join(delimiter) },
    stdio: ["ignore", process.stderr.fd, process.stderr.fd],
    shell: process.platform === "win32",
  });
  if (mayFail) return;
  if (error !== undefined) fail(`npm could not be run: ${error.message}`);
  if (status !== 0) fail(`npm ${args[0]} failed with code ${status}; see above`);
}

function run(command, args) {
  const child = spawn(command, args, {
    cwd: process.cwd(),
    env: { ...process.env, PATH: `${BIN}${delimiter}${process.env.PATH ?? ""}` },
    // The channel says nothing: its end tells the child that this process is gone.
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) {
    process.on(signal, () => child.kill(signal));
  }
  if (process.env.npm_lifecycle_event !== undefined) endWithParent(child);
  child.on("error", (error) => fail(`${command} could not be run: ${error.message}`));
  child.on("exit", (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });
}

/** npm killed outright cannot forward anything; what it started must not live on. */
function endWithParent(child) {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) child.kill("SIGTERM");
  }, POLL_MS).unref();
}

function isNewEnough(version) {
  const parts = version.replace(/^v/, "").split(".").map(Number);
  const different = NODE_MIN.findIndex((wanted, at) => parts[at] !== wanted);
  return different === -1 || parts[different] > NODE_MIN[different];
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function readJson(path) {
  const text = readOr(path, null);
  return text === null ? null : JSON.parse(text);
}

function readOr(path, otherwise) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return otherwise;
  }
}

function say(line) {
  process.stderr.write(`quorumq: ${line}\n`);
}

function fail(message) {
  say(message);
  process.exit(1);
}
