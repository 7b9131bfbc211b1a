// Keeps web pages of other sites away from an API that asks for no credentials.
//
// Guarantees: a browser's request from a page of another origin is refused, whatever it asks for,
// also an image or a script, for which browsers send no Origin (but Sec-Fetch-Site); a link that
// is followed to a GET is not. Where the server listens on loopback only, a Host that is not
// loopback's name is refused too, as after DNS rebinding. Programs, which send none of these
// headers, are not concerned. No header of CORS is ever sent.

import { refusal } from "../reason.ts";
import type { HeadersIn } from "./exchange.ts";

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Throws if the request may not come in. `boundTo` is the address that the server listens on. */
export function requireOwnOrigin(headers: HeadersIn, boundTo: string, verb = "GET"): void {
  const host = headers.get("host") ?? "";
  requireOwnSite(headers, verb);
  const hostname = hostnameOf(host);
  if (isLoopback(boundTo) && !LOOPBACK.has(hostname) && hostname !== boundTo) {
    throw refusal("ORIGIN_REFUSED", `this server is for this machine only, not for host ${host}`, {
      metadata: { host },
    });
  }
  const origin = headers.get("origin");
  if (origin === null || hostOf(origin) === host) return;
  throw refusal("ORIGIN_REFUSED", `pages of ${origin} may not call this server`, {
    metadata: { origin, host },
  });
}

/** Browsers say by themselves whose page asks; pages cannot change it. */
function requireOwnSite(headers: HeadersIn, verb: string): void {
  const site = headers.get("sec-fetch-site") ?? "none";
  if (site === "none" || site === "same-origin") return;
  const isVisit =
    verb === "GET" &&
    headers.get("sec-fetch-mode") === "navigate" &&
    headers.get("sec-fetch-dest") === "document";
  if (isVisit) return;
  throw refusal("ORIGIN_REFUSED", "pages of other sites may not call this server", {
    metadata: { sec_fetch_site: site.slice(0, 64) },
  });
}

function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || address.startsWith("127.");
}

function hostnameOf(host: string): string {
  return host.replace(/:\d+$/, "").toLowerCase();
}

/** "null" and what is no address have none. */
function hostOf(origin: string): string | null {
  return URL.parse(origin)?.host ?? null;
}
