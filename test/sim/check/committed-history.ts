// What was ever committed, by anybody: one history, in order, for the whole run.
//
// Guarantees: an entry joins it when the first leader commits it, and never changes (I6). The canon
// is one more ledger, fed by this history alone: every replica must agree with it at each index in
// what it answered, and at drawn ones in its whole state (I5).
// Does not own: whether a commit was right (commit-check.ts).

import { hash } from "../../../ledger/ledger.ts";
import type { Applied } from "../../../ledger/result.ts";
import type { Configuration } from "../../../raft/configuration.ts";
import { type Entry, EntryKind, type LogIndex, type Term } from "../../../raft/message.ts";
import { Invariants } from "../../unit/ledger/invariants.ts";
import { commandOf } from "../command-of.ts";
import { Replica } from "../replica.ts";
import { demand, Violation } from "../violation.ts";
import type { LedgerWatch } from "./ledger-watch.ts";

interface CommittedConfiguration {
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

export class CommittedHistory {
  readonly canon = new Replica();
  readonly #entries: Entry[] = [];
  /** The term of the leader that committed each. */
  readonly #commitTerms: Term[] = [];
  readonly #digests: string[] = [];
  readonly #hashes = new Map<LogIndex, string>();
  readonly #configurations: CommittedConfiguration[] = [];
  readonly #invariants = new Invariants();
  readonly #hashEntries: number;
  readonly #watch: LedgerWatch;

  constructor(hashEntries: number, watch: LedgerWatch) {
    this.#hashEntries = hashEntries;
    this.#watch = watch;
  }

  get length(): LogIndex {
    return this.#entries.length;
  }

  entry(index: LogIndex): Entry | undefined {
    return this.#entries[index - 1];
  }

  /** 0 before the first entry; null where nothing is committed yet. */
  termAt(index: LogIndex): Term | null {
    if (index === 0) return 0;
    return this.#entries[index - 1]?.term ?? null;
  }

  /** How much was committed by leaders of terms before this one. */
  lengthBefore(term: Term): LogIndex {
    let { length } = this;
    while (length > 0 && (this.#commitTerms[length - 1] ?? 0) >= term) length -= 1;
    return length;
  }

  found(configuration: Configuration): void {
    if (this.#configurations.length === 0) this.#configurations.push({ index: 0, configuration });
  }

  configurationAt(index: LogIndex): Configuration | undefined {
    return this.#configurations.findLast((one) => one.index <= index)?.configuration;
  }

  get configuration(): Configuration | undefined {
    return this.#configurations.at(-1)?.configuration;
  }

  add(entry: Entry, commitTerm: Term): void {
    this.#entries.push(entry);
    this.#commitTerms.push(commitTerm);
    const applied = this.canon.apply(entry);
    if (entry.kind === EntryKind.Configuration) {
      const { configuration } = this.canon;
      this.#configurations.push({ index: entry.index, configuration });
    }
    this.#digests.push(applied === null ? "" : digestOf(applied));
    if (applied !== null) this.#follow(entry, applied);
    if (entry.index % this.#hashEntries === 0) {
      this.#hashes.set(entry.index, hash(this.canon.ledger));
      this.scan();
    }
  }

  #follow(entry: Entry, applied: Applied): void {
    const command = commandOf(entry);
    this.#asLedgerInvariant(() => this.#invariants.follow(entry.index, command, applied));
    this.#watch.follow(command, applied, this.canon.ledger);
  }

  /** Looks at every job of the canon: for drawn moments. */
  scan(): void {
    this.#asLedgerInvariant(() => this.#invariants.scan(this.canon.ledger));
  }

  #asLedgerInvariant(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      throw new Violation("I17 ledger", error.message);
    }
  }

  /** A replica has applied the entry: it must have answered as the canon did. */
  compareAnswer(who: string, index: LogIndex, applied: Applied | null, replica: Replica): void {
    const digest = applied === null ? "" : digestOf(applied);
    const expected = this.#digests[index - 1];
    demand(digest === expected, "I5 state-machine", () => {
      return `${who} answers ${digest} at ${index}, the canon ${expected}`;
    });
    if (index % this.#hashEntries === 0) this.compareState(who, index, replica);
  }

  /** Whole states at one index are equal, whoever has them; the first one seen is remembered. */
  compareState(who: string, index: LogIndex, replica: Replica): void {
    const own = hash(replica.ledger);
    const known = this.#hashes.get(index);
    if (known === undefined) this.#hashes.set(index, own);
    const isSame = known === undefined || known === own;
    demand(isSame, "I5 state-machine", `${who}'s ledger differs at ${index}`);
  }

  /** Null if nobody's state was hashed there. */
  hashAt(index: LogIndex): string | null {
    return this.#hashes.get(index) ?? null;
  }
}

function digestOf({ result, changes, lockChanges }: Applied): string {
  switch (result.kind) {
    case "submitted": {
      const first = result.jobs[0];
      return `submitted ${first?.jobId} ${first?.deduplicated} ${changes.length}`;
    }
    case "started":
      return `started ${result.token} ${result.number} ${result.job.id} ${changes.length}`;
    case "start-refused":
      return `start-refused ${result.reason} ${result.lockKey} ${changes.length}`;
    case "finished":
      return `finished ${result.state} ${result.nextAttemptMs} ${changes.length}`;
    case "fenced":
      return `fenced ${result.token} ${result.currentToken} ${result.state} ${changes.length}`;
    case "locks": {
      const standings = result.standings.map(({ lockId, state, token }) => [lockId, state, token]);
      return `locks ${standings.join(" ")} ${changes.length} ${lockChanges.length}`;
    }
    case "submit-refused":
      return `submit-refused ${result.reason} ${result.jobId} ${changes.length}`;
    case "queue-set":
      return `queue-set ${JSON.stringify(result.queue)} ${changes.length}`;
    case "queue-drained":
      return `queue-drained ${result.cancelled} ${result.hasMore} ${result.untilArrival}`;
    default:
      return `${result.kind} ${changes.length} ${lockChanges.length}`;
  }
}
