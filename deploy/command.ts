// Every command of the CLI: its words, its options and the settings it takes. The operator's are in
// operator-spec.ts.
//
// Guarantees: heavy modules are loaded only by the command that runs, so that `quorumq version`
// and client commands start quickly. Actions return an exit code; nothing here ends the process.
// Does not own: what the commands do.

import { Command, Option } from "commander";
import type { Options } from "./ask.ts";
import {
  asking,
  natural,
  nodeCount,
  output,
  positive,
  type Spec,
  seconds,
  time,
  timeout,
} from "./command-spec.ts";
import { loadConfig } from "./config.ts";
import { ExitCode } from "./exit-code.ts";
import { STATE_FOLDER } from "./local/layout.ts";
import { settingsOfStack } from "./local/stack-file.ts";
import { LOCK_SPECS } from "./lock-spec.ts";
import { OPERATOR_SPECS } from "./operator-spec.ts";
import { QUEUE_SPECS } from "./queue-spec.ts";
import { SCHEDULE_SPECS } from "./schedule-spec.ts";
import { environmentOf, flagOf, SETTINGS, type SettingName } from "./settings.ts";
import { VERSION } from "./version.ts";

const COMMON: readonly SettingName[] = [
  ...(["amqpUrl", "cluster", "logLevel", "shutdownGraceMs", "healthFile"] as const),
];

const GROUPS: Readonly<Record<NonNullable<Spec["group"]>, string>> = {
  cluster: "see and steer the quorum",
  ledger: "read and check what the quorum decided",
  lock: "see who holds which lock key, and hold one",
  queue: "see, pause, limit and drain the queues",
  schedule: "have jobs made by a cron or at an interval",
};

function job(
  name: "submit" | "get" | "wait" | "list" | "cancel" | "retry" | "redrive",
  words: string,
  help: string,
  options: readonly Option[] = [],
): Spec {
  return asking(
    { words, help, options: [output(), timeout(), ...options] },
    async () => (await import("./client-command.ts")).JOB_COMMANDS[name],
  );
}

const SPECS: readonly Spec[] = [
  {
    words: "dev [file...]",
    help: "run the whole stack here: nodes, a gateway, a console, 2 workers with your job files",
    settings: [
      ...(["amqpUrl", "redisUrl", "grpcPort", "consolePort", "logLevel"] as const),
      ...([
        "concurrency",
        "leaseMs",
        "blockedMsMax",
        "redisLocks",
        "electionTimeoutMs",
        "heartbeatIntervalMs",
      ] as const),
      ...(["snapshotLogBytes", "shutdownGraceMs"] as const),
      ...(["retentionMs", "retentionJobsMax", "keyRetentionMs"] as const),
    ],
    options: [
      new Option("--fresh", "begin with empty state"),
      new Option("--nodes <count>", "nodes of a new cluster").argParser(nodeCount).default(3),
      new Option("--once", "stop cleanly after the first greeting"),
      new Option("--dir <folder>", "where the state lives").default(STATE_FOLDER),
    ],
    startsStack: true,
    action: async (config, options, files, given) =>
      (await import("./dev.ts")).runDev(config, options, files, given),
  },
  {
    words: "node",
    help: "run a quorum member",
    settings: [
      ...COMMON,
      ...(["redisUrl", "nodeId", "members", "dataDir", "snapshotLogBytes"] as const),
      ...(["electionTimeoutMs", "heartbeatIntervalMs"] as const),
      ...(["retentionMs", "retentionJobsMax", "keyRetentionMs"] as const),
    ],
    required: ["nodeId", "dataDir"],
    action: async (config) => (await import("./member.ts")).runMember(config),
  },
  {
    words: "gateway",
    help: "run a gRPC gateway",
    settings: [...COMMON, "redisUrl", "gatewayId", "grpcHost", "grpcPort"],
    action: async (config) => (await import("./gateway.ts")).runGateway(config),
  },
  {
    words: "console",
    help: "run an HTTP entry: the same calls as REST and JSON",
    settings: [...COMMON, "consoleId", "consoleHost", "consolePort"],
    action: async (config) => (await import("./console.ts")).runConsole(config),
  },
  {
    words: "worker <file...>",
    help: "run the jobs that these files define",
    settings: [
      ...COMMON,
      ...([
        "redisUrl",
        "workerId",
        "concurrency",
        "leaseMs",
        "blockedMsMax",
        "redisLocks",
      ] as const),
    ],
    action: async (config, _options, files) =>
      (await import("./worker.ts")).runWorker(config, files),
  },
  job(
    "submit",
    "submit <kind> [payload]",
    "submit a job; the payload is JSON, @file or - for stdin",
    [
      new Option("--wait", "wait for the end of the job"),
      new Option("--queue <name>", "queue, if not the kind's own"),
      new Option("--key <key>", "idempotency key: the same key submits once"),
      new Option("--priority <number>", "0 to 1000, higher runs earlier").argParser(natural),
      new Option("--delay <time>", "run not before so long from now: seconds, 5m, 1h").argParser(
        seconds,
      ),
      new Option("--total-timeout <time>", "fail it when it has not ended by then").argParser(
        seconds,
      ),
      new Option("--max-attempts <number>", "attempts, if not the kind's own").argParser(natural),
      new Option("--lock <key...>", "keys that only one running job may hold"),
      new Option("--child <kind=payload...>", "jobs that have to end before it runs"),
      new Option("--run-parent", "run it also when a child fails"),
    ],
  ),
  job("get", "get <id>", "show a job"),
  job("wait", "wait <id>", "wait for the end of a job"),
  asking(
    {
      words: "watch <id>",
      help: "tell each change of a job until it has ended",
      options: [
        output(),
        new Option("--timeout <time>", "give up after so long: seconds, or 90s, 5m, 1h").argParser(
          seconds,
        ),
        new Option("--after <index>", "skip what is known: up to this change").argParser(natural),
      ],
    },
    async () => (await import("./client-command.ts")).JOB_COMMANDS.watch,
  ),
  job("list", "list", "list jobs, newest first", [
    new Option("--state <state>", "only jobs in this state").choices([
      ...["scheduled", "queued", "running", "succeeded", "failed", "cancelled"],
    ]),
    new Option("--kind <kind>", "only jobs of this kind"),
    new Option("--queue <name>", "only jobs of this queue"),
    new Option("--schedule <id>", "only jobs that this schedule made"),
    new Option("--parent <id>", "only children of this job"),
    new Option("--limit <number>", "at most this many").argParser(positive).default(20),
  ]),
  job("cancel", "cancel <id>", "cancel a job", [new Option("--reason <text>", "why")]),
  job("retry", "retry <id>", "run a job again that has failed or was cancelled", [
    new Option("--request-id <id>", "name of this retry: the same name retries once"),
  ]),
  job("redrive", "redrive", "retry all jobs that have failed, or those that match", [
    new Option("--state <state>", "jobs in this state")
      .choices(["failed", "cancelled"])
      .default("failed"),
    new Option("--kind <kind>", "only jobs of this kind"),
    new Option("--queue <name>", "only jobs of this queue"),
    new Option("--error <code>", "only jobs with this error code"),
    new Option("--created-from <time>", "only jobs created then or later").argParser(time),
    new Option("--created-before <time>", "only jobs created before").argParser(time),
  ]),
  ...LOCK_SPECS,
  ...QUEUE_SPECS,
  ...SCHEDULE_SPECS,
  ...OPERATOR_SPECS,
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
    .version(VERSION, "-V, --version", "print the version")
    .exitOverride();
  const groups = new Map<string, Command>();
  for (const spec of SPECS) addCommand(program, parentOf(program, groups, spec), spec, done);
  program
    .command("version")
    .description("print the version")
    .action(() => {
      process.stdout.write(`${VERSION}\n`);
      done(ExitCode.Ok);
    });
  return program;
}

/** The command of its group, made at the first of them. */
function parentOf(program: Command, groups: Map<string, Command>, { group }: Spec): Command {
  if (group === undefined) return program;
  const parent = groups.get(group) ?? program.command(group).description(GROUPS[group]);
  groups.set(group, parent);
  return parent;
}

function addCommand(
  program: Command,
  parent: Command,
  spec: Spec,
  done: (code: ExitCode) => void,
): void {
  const command = parent.command(spec.words).description(spec.help);
  for (const name of spec.settings) {
    const { help, default: text } = SETTINGS[name];
    const origin = `${environmentOf(name)}${text === null ? "" : `, default ${text}`}`;
    command.addOption(new Option(`${flagOf(name)} <value>`, `${help} (${origin})`));
  }
  for (const option of spec.options ?? []) command.addOption(option);
  command.action(async () => {
    const options: Options = command.opts();
    const { config: configPath } = program.opts<{ config?: string }>();
    const { config, given } = loadConfig({
      flags: Object.fromEntries(
        spec.settings.flatMap((name) => (name in options ? [[name, String(options[name])]] : [])),
      ),
      env: process.env,
      cwd: process.cwd(),
      ...(spec.startsStack === true ? {} : { stack: settingsOfStack(process.cwd()) }),
      ...(configPath === undefined ? {} : { configPath }),
      ...(spec.required === undefined ? {} : { required: spec.required }),
    });
    done(await spec.action(config, options, command.args, given));
  });
}
