// Finds the method that a request is for, by its verb and path.
//
// Guarantees: parts of a path are decoded once, and never match a slash or the colon before a verb
// of their own; a path that exists with other verbs is told from one that does not exist.
// Does not own: which routes there are (route-table.ts).

import type { Row, Verb } from "./route-table.ts";

export interface Route extends Row {
  /** Such as quorumq.v1.JobService/GetJob. */
  readonly method: string;
}

export type Match =
  | {
      readonly kind: "found";
      readonly route: Route;
      /** Fields of the request by the names in the path. */
      readonly parts: Readonly<Record<string, string>>;
    }
  | { readonly kind: "other-verb"; readonly allowed: readonly Verb[] }
  | { readonly kind: "unknown" };

interface Compiled {
  readonly route: Route;
  readonly pattern: RegExp;
}

const PART = /\{([a-z_]+)\}/g;

export class Routes {
  readonly #compiled: readonly Compiled[];

  constructor(rows: Readonly<Record<string, Row>>) {
    this.#compiled = Object.entries(rows).map(([method, row]) => ({
      route: { ...row, method },
      pattern: new RegExp(`^${row.path.replaceAll(PART, "(?<$1>[^/:]+)")}$`),
    }));
  }

  /** `path` as it was sent, not decoded. */
  match(verb: string, path: string): Match {
    const here = this.#compiled.flatMap(({ route, pattern }) => {
      const groups = pattern.exec(path);
      return groups === null ? [] : [{ route, groups: groups.groups ?? {} }];
    });
    const wanted = verb === "HEAD" ? "GET" : verb;
    const found = here.find(({ route }) => route.verb === wanted);
    if (found === undefined) {
      if (here.length === 0) return { kind: "unknown" };
      return { kind: "other-verb", allowed: here.map(({ route }) => route.verb) };
    }
    const parts = Object.entries(found.groups).map(([name, part]) => [name, decoded(part)]);
    return { kind: "found", route: found.route, parts: Object.fromEntries(parts) };
  }
}

/** What is not encoded right stands for itself: no resource has such a name. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
