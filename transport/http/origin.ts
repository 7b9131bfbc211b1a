// Keeps web pages of other sites away from an API that asks for no credentials.
//
// Guarantees: a browser's request from a page of another origin is refused, whatever it asks for;
// where the server listens on loopback only, so is one whose Host is not loopback's name, as after
// DNS rebinding. Programs, which send no Origin, are not concerned. No header of CORS is ever sent.

import { refusal } from "../reason.ts";
import type { HeadersIn } from "./exchange.ts";

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Throws if the request may not come in. `boundTo` is the address that the server listens on. */
export function requireOwnOrigin(headers: HeadersIn, boundTo: string): void {
  const host = headers.get("host") ?? "";
  if (isLoopback(boundTo) && !LOOPBACK.has(hostnameOf(host))) {
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
