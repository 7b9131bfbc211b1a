// Every command of the CLI: its words, its options and the settings it takes.
//
// Guarantees: heavy modules are loaded only by the command that runs, so that `quorumq version`
// and client commands start quickly. Actions return an exit code; nothing here ends the process.
// Does not own: what the commands do.

import { Command, InvalidArgumentError, Option } from "commander";
import { loadConfig } from "./config.ts";
import { ExitCode } from "./exit-code.ts";
import { type Config, environmentOf, flagOf, SETTINGS, type SettingName } from "./settings.ts";
import { VERSION } from "./version.ts";

type Options = Readonly<Record<string, unknown>>;
type Action = (config: Config, options: Options, words: readonly string[]) => Promise<ExitCode>;

interface Spec {
  readonly words: string;
  readonly help: string;
  readonly settings: readonly SettingName[];
  readonly required?: readonly SettingName[];
  readonly options?: readonly Option[];
  readonly action: Action;
}

const COMMON: readonly SettingName[] = [
  ...(["amqpUrl", "cluster", "logLevel", "shutdownGraceMs", "healthFile"] as const),
];

const output = (): Option =>
  new Option("-o, --output <form>", "form of the answer").choices(["text", "json"]).default("text");
const timeout = (): Option =>
  new Option("--timeout <seconds>", "how long to wait for the answer")
    .argParser(positive)
    .default(30);
const client = (
  words: string,
  help: string,
  name: string,
  options: readonly Option[] = [],
): Spec => ({
  words,
  help,
  settings: ["address"],
  options: [output(), timeout(), ...options],
  action: async (config, given, args) => {
    const { runClientCommand } = await import("./client-command.ts");
    return runClientCommand(name, config.address, given, args);
  },
});

const SPECS: readonly Spec[] = [
  {
    words: "dev [file...]",
    help: "run the whole stack on this machine: 3 nodes, a gateway, 2 workers with your job files",
    settings: [
      ...(["amqpUrl", "redisUrl", "grpcPort", "logLevel", "shutdownGraceMs"] as const),
      ...(["concurrency", "leaseMs", "electionTimeoutMs", "heartbeatIntervalMs"] as const),
    ],
    options: [
      new Option("--fresh", "begin with empty state"),
      new Option("--once", "stop cleanly after the first greeting"),
      new Option("--dir <folder>", "where the state lives").default(".quorumq"),
    ],
    action: async (config, options, files) =>
      (await import("./dev.ts")).runDev(config, options, files),
  },
  {
    words: "node",
    help: "run a quorum member",
    settings: [
      ...COMMON,
      ...(["redisUrl", "nodeId", "members", "dataDir"] as const),
      ...(["electionTimeoutMs", "heartbeatIntervalMs"] as const),
    ],
    required: ["nodeId", "dataDir"],
    action: async (config) => (await import("./member.ts")).runMember(config),
  },
  {
    words: "gateway",
    help: "run a gRPC gateway",
    settings: [...COMMON, "gatewayId", "grpcHost", "grpcPort"],
    action: async (config) => (await import("./gateway.ts")).runGateway(config),
  },
  {
    words: "worker <file...>",
    help: "run the jobs that these files define",
    settings: [...COMMON, "redisUrl", "workerId", "concurrency", "leaseMs"],
    action: async (config, _options, files) =>
      (await import("./worker.ts")).runWorker(config, files),
  },
  client(
    "submit <kind> [payload]",
    "submit a job; the payload is JSON, @file or - for stdin",
    "submit",
    [
      new Option("--wait", "wait for the end of the job"),
      new Option("--queue <name>", "queue, if not the kind's own"),
      new Option("--key <key>", "idempotency key: the same key submits once"),
      new Option("--priority <number>", "0 to 1000, higher runs earlier").argParser(natural),
      new Option("--delay <seconds>", "run not before this time from now").argParser(positive),
      new Option("--max-attempts <number>", "attempts, if not the kind's own").argParser(natural),
      new Option("--lock <key...>", "keys that only one running job may hold"),
    ],
  ),
  client("get <id>", "show a job", "get"),
  client("wait <id>", "wait for the end of a job", "wait"),
  client("list", "list jobs, newest first", "list", [
    new Option("--state <state>", "only jobs in this state").choices([
      ...["scheduled", "queued", "running", "succeeded", "failed", "cancelled"],
    ]),
    new Option("--kind <kind>", "only jobs of this kind"),
    new Option("--queue <name>", "only jobs of this queue"),
    new Option("--limit <number>", "at most this many").argParser(natural).default(20),
  ]),
  client("cancel <id>", "cancel a job", "cancel", [new Option("--reason <text>", "why")]),
  client("status", "show the quorum and its counters", "status"),
  {
    words: "health",
    help: "exit 0 if the process next to this one is well (for container health checks)",
    settings: ["healthFile", "address"],
    action: async (config) => (await import("./health.ts")).checkHealth(config),
  },
];

/** `done` gets the exit code of the action that ran. */
export function buildProgram(done: (code: ExitCode) => void): Command {
  const program = new Command("quorumq");
  program
    .description("A durable job pipeline: committed by a quorum, run by workers, recorded once.")
    .option("--config <file>", "configuration file (default: quorumq.config.json, if present)")
    .showHelpAfterError("(see --help)")
    .exitOverride();
  for (const spec of SPECS) addCommand(program, spec, done);
  program
    .command("version")
    .description("print the version")
    .action(() => {
      process.stdout.write(`${VERSION}\n`);
      done(ExitCode.Ok);
    });
  return program;
}

function addCommand(program: Command, spec: Spec, done: (code: ExitCode) => void): void {
  const command = program.command(spec.words).description(spec.help);
  for (const name of spec.settings) {
    const { help, default: text } = SETTINGS[name];
    const origin = `${environmentOf(name)}${text === null ? "" : `, default ${text}`}`;
    command.addOption(new Option(`${flagOf(name)} <value>`, `${help} (${origin})`));
  }
  for (const option of spec.options ?? []) command.addOption(option);
  command.action(async () => {
    const options: Options = command.opts();
    const { config: configPath } = program.opts<{ config?: string }>();
    const config = loadConfig({
      flags: Object.fromEntries(
        spec.settings.flatMap((name) => (name in options ? [[name, String(options[name])]] : [])),
      ),
      env: process.env,
      cwd: process.cwd(),
      ...(configPath === undefined ? {} : { configPath }),
      ...(spec.required === undefined ? {} : { required: spec.required }),
    });
    done(await spec.action(config, options, command.args));
  });
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError("not above 0");
  return value;
}

function natural(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError("not 0, 1, 2, …");
  return value;
}
