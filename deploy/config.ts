// The configuration of a process: flag, else environment, else file, else the local stack that runs
// in this folder, else default.
//
// Guarantees: all problems are told at once, each with the name under which the value came in;
// an unknown name is a problem, with the nearest known one as a suggestion; the value of a secret
// never appears in a problem. Nothing but the given environment and the named files is read.
// `given` has the settings that somebody wrote: a default, or what a stack says, is no wish.
// Does not own: the settings themselves (settings.ts), nor OTEL_* variables, which the
// OpenTelemetry SDK reads by their standard names.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "./exit-code.ts";
import { nearest } from "./nearest.ts";
import {
  type Config,
  environmentOf,
  flagOf,
  SETTING_NAMES,
  SETTINGS,
  type SettingName,
} from "./settings.ts";

export const CONFIG_FILE_NAME = "quorumq.config.json";
const PREFIX = "QUORUMQ_";
const FILE_SUFFIX = "_FILE";
const CONFIG_VARIABLE = "QUORUMQ_CONFIG";
/** Not settings: what the tests and the local stack say to their own processes. */
const FOREIGN_PREFIXES = ["QUORUMQ_TEST_", "QUORUMQ_STACK_"];
/** What `quorumq lock run` tells the command under it, which may be another quorumq. */
const TOLD = ["QUORUMQ_FENCING_TOKEN", "QUORUMQ_LOCK_ID"];

export interface ConfigSources {
  /** Values of the flags that were given, by setting name. */
  readonly flags: Readonly<Partial<Record<SettingName, string>>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where quorumq.config.json is looked for. */
  readonly cwd: string;
  /** --config: must exist. */
  readonly configPath?: string;
  /** Settings that this command cannot do without. */
  readonly required?: readonly SettingName[];
  /** Where the stack is that runs in this folder, if one does. */
  readonly stack?: Readonly<Partial<Record<SettingName, string>>>;
}

export type ConfigOutcome =
  | {
      readonly kind: "ok";
      readonly config: Config;
      readonly given: ReadonlySet<SettingName>;
    }
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

/** A value as written, and the name it came in under. */
interface Found {
  readonly value: unknown;
  readonly name: string;
}

export interface Loaded {
  readonly config: Config;
  readonly given: ReadonlySet<SettingName>;
}

/** As readConfig; all problems together become one UsageError. */
export function loadConfig(sources: ConfigSources): Loaded {
  const outcome = readConfig(sources);
  if (outcome.kind === "ok") return outcome;
  const lines = outcome.problems.map((problem) => `  ${problem}`);
  throw new UsageError(["the configuration cannot be right:", ...lines].join("\n"));
}

export function readConfig(sources: ConfigSources): ConfigOutcome {
  const problems: string[] = [];
  const file = readFile(sources, problems);
  refuseUnknownVariables(sources.env, problems);
  const values: Partial<Record<SettingName, unknown>> = {};
  const given = new Set<SettingName>();
  for (const name of SETTING_NAMES) {
    const written =
      fromFlag(sources, name) ??
      fromEnvironment(sources.env, name, problems) ??
      fromFile(file, name);
    if (written !== null) given.add(name);
    const found = written ?? fromStack(sources, name) ?? fromDefault(name);
    values[name] = found === null ? null : check(name, found, problems);
    if (found === null && sources.required?.includes(name)) {
      problems.push(
        `${flagOf(name)} (or ${environmentOf(name)}) is missing: ${SETTINGS[name].help}`,
      );
    }
  }
  if (problems.length > 0) return { kind: "invalid", problems };
  return { kind: "ok", config: values as Config, given };
}

function fromFlag({ flags }: ConfigSources, name: SettingName): Found | null {
  const value = flags[name];
  return value === undefined ? null : { value, name: flagOf(name) };
}

function fromEnvironment(
  env: ConfigSources["env"],
  name: SettingName,
  problems: string[],
): Found | null {
  const variable = environmentOf(name);
  const value = env[variable];
  const twin = `${variable}${FILE_SUFFIX}`;
  const path = SETTINGS[name].isSecret ? env[twin] : undefined;
  if (value !== undefined && path !== undefined) {
    problems.push(`${variable} and ${twin} are both set: only one may be`);
  }
  if (value !== undefined) return { value, name: variable };
  if (path === undefined) return null;
  try {
    return { value: readFileSync(path, "utf8").trim(), name: twin };
  } catch (error) {
    problems.push(`${twin}: cannot read ${path} (${(error as NodeJS.ErrnoException).code})`);
    return null;
  }
}

function fromFile(file: Readonly<Record<string, unknown>>, name: SettingName): Found | null {
  const value = file[name];
  if (value === undefined) return null;
  // A list may be written as one: ["n1", "n2"] is "n1,n2".
  return { value: Array.isArray(value) ? value.join(",") : value, name: `"${name}" in the file` };
}

function fromStack({ stack }: ConfigSources, name: SettingName): Found | null {
  const value = stack?.[name];
  return value === undefined ? null : { value, name: `${flagOf(name)} of the stack here` };
}

function fromDefault(name: SettingName): Found | null {
  const value = SETTINGS[name].default;
  return value === null ? null : { value, name: `the default of ${flagOf(name)}` };
}

function check(name: SettingName, found: Found, problems: string[]): unknown {
  const { schema, isSecret } = SETTINGS[name];
  const result = schema.safeParse(found.value);
  if (result.success) return result.data;
  const given = isSecret ? "" : `, got ${JSON.stringify(found.value)}`;
  const why = result.error.issues.map((issue) => issue.message).join("; ");
  problems.push(`${found.name}: ${why}${given}`);
  return null;
}

function readFile(sources: ConfigSources, problems: string[]): Readonly<Record<string, unknown>> {
  const named = sources.configPath ?? sources.env[CONFIG_VARIABLE];
  const path = named ?? join(sources.cwd, CONFIG_FILE_NAME);
  if (named === undefined && !existsSync(path)) return {};
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const cause = (error as NodeJS.ErrnoException).code ?? "it is not JSON";
    problems.push(`${path} cannot be used: ${cause}`);
    return {};
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    problems.push(`${path} cannot be used: it is not an object of settings`);
    return {};
  }
  for (const key of Object.keys(content)) {
    if (Object.hasOwn(SETTINGS, key) || key === "$schema") continue;
    problems.push(`"${key}" in ${path} is not a setting${suggestion(key, SETTING_NAMES)}`);
  }
  return content as Record<string, unknown>;
}

function refuseUnknownVariables(env: ConfigSources["env"], problems: string[]): void {
  const known = [CONFIG_VARIABLE, ...SETTING_NAMES.flatMap(variablesOf)];
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith(PREFIX) || known.includes(variable)) continue;
    if (TOLD.includes(variable)) continue;
    if (FOREIGN_PREFIXES.some((prefix) => variable.startsWith(prefix))) continue;
    problems.push(`${variable} is not a setting${suggestion(variable, known)}`);
  }
}

function variablesOf(name: SettingName): string[] {
  const variable = environmentOf(name);
  return SETTINGS[name].isSecret ? [variable, `${variable}${FILE_SUFFIX}`] : [variable];
}

function suggestion(word: string, known: readonly string[]): string {
  const best = nearest(word, known);
  return best === null ? "" : `; did you mean ${best}?`;
}
