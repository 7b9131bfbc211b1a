// A log line for people: what happened first, its facts behind it.
//
// Guarantees: says all that the JSON line says, but the day and who the process is; of an error its
// stack. A line that is not one of ours comes back as it is.

const LEVELS: Readonly<Record<string, string>> = {
  trace: "trace",
  debug: "debug",
  info: "",
  warn: "warning:",
  error: "error:",
  fatal: "fatal:",
};

/** "22:19:03.208  takes jobs  cluster=local-1" */
export function logText(line: string): string {
  const facts = parsed(line);
  if (facts === null) return line;
  const { time, level, msg, component: _component, id: _id, err, ...others } = facts;
  const clock = String(time).slice(11, 23);
  const told = Object.entries(others).map(([name, value]) => `${name}=${valueText(value)}`);
  const words = [clock, LEVELS[String(level)] ?? String(level), String(msg ?? ""), ...told];
  const stack = (err as { readonly stack?: string } | undefined)?.stack;
  const text = words.filter((word) => word !== "").join("  ");
  return stack === undefined ? `${text}\n` : `${text}\n${stack}\n`;
}

function parsed(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

function valueText(value: unknown): string {
  return typeof value === "string" && /^[^\s="]+$/.test(value) ? value : JSON.stringify(value);
}
