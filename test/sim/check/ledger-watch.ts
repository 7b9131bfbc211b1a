// What must hold of jobs whoever looks after them: each committed command, followed by a book and
// the checks that read it.
//
// Guarantees: every command is followed once, in order, right after the canon has applied it. What
// nobody called for by name (a drained job, a forgotten one, a key that is free again) is told to
// whoever writes the history.
// Does not own: the checks (queue-check.ts, drain-check.ts, retention-check.ts).

import type { Command } from "../../../ledger/command.ts";
import type { Ledger } from "../../../ledger/ledger.ts";
import type { Applied } from "../../../ledger/result.ts";
import type { Tally } from "../tally.ts";
import { DrainCheck } from "./drain-check.ts";
import { type BookedJob, JobBook } from "./job-book.ts";
import { QueueCheck } from "./queue-check.ts";
import { RetentionCheck } from "./retention-check.ts";

export interface Witness {
  readonly drained: (job: BookedJob) => void;
  readonly forgotten: (job: BookedJob) => void;
  /** Of a job that was forgotten. */
  readonly keyFreed: (job: BookedJob) => void;
}

export class LedgerWatch {
  readonly book = new JobBook();
  readonly retention: RetentionCheck;
  witness: Witness | null = null;
  readonly #queues: QueueCheck;
  readonly #drains: DrainCheck;

  constructor(tally: Tally) {
    this.#queues = new QueueCheck(this.book, tally);
    this.#drains = new DrainCheck(this.book, tally);
    this.retention = new RetentionCheck(this.book, tally);
  }

  follow(command: Command, applied: Applied, ledger: Ledger): void {
    this.#drains.expect(command);
    this.#queues.set(command, applied);
    this.book.follow(command, applied, (job) => this.#queues.accepting(job));
    this.#queues.follow(command, applied);
    const drained = this.#drains.follow(command, applied);
    const { jobs, keys } = this.retention.follow(command, applied, ledger);
    const { witness } = this;
    if (witness === null) return;
    for (const job of drained) witness.drained(job);
    for (const job of jobs) witness.forgotten(job);
    for (const job of keys) witness.keyFreed(job);
  }
}
