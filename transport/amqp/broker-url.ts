// What is done to the broker's URL before it is used or shown.
//
// Guarantees: a password never reaches a log line or an error; the heartbeat is ours unless the
// URL names one, since amqplib takes it from the query only.

/** RabbitMQ advises against less than 5 s; Raft has timers of its own, this is socket hygiene. */
const HEARTBEAT_SECONDS = 10;

/** The URL with the heartbeat in its query. */
export function connectUrl(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has("heartbeat")) {
    parsed.searchParams.set("heartbeat", String(HEARTBEAT_SECONDS));
  }
  return parsed.href;
}

/** The URL for people: no password, no query. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return "(not a URL)";
  const parsed = new URL(url);
  parsed.password = "";
  parsed.search = "";
  return parsed.href;
}
