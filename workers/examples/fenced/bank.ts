// Example: a table of accounts that a lock protects, and that does not rely on the lock.
//
// `charge` believes whoever says that it holds the lock. `chargeFenced` takes the holder's fencing
// token along and refuses any that is lower than one it has seen: that is the whole trick, and it
// is one condition in one statement, in any store that can compare and write at once.

import { DatabaseSync } from "node:sqlite";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS account (
    id TEXT PRIMARY KEY, balance_cents INTEGER NOT NULL, token INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE IF NOT EXISTS charge (
    order_id TEXT NOT NULL, account_id TEXT NOT NULL, cents INTEGER NOT NULL, teller TEXT NOT NULL
  );
`;

export interface Charge {
  readonly orderId: string;
  readonly accountId: string;
  readonly cents: number;
  readonly teller: string;
}

export class Bank {
  readonly #database: DatabaseSync;

  constructor(file: string) {
    this.#database = new DatabaseSync(file, { timeout: 5_000 });
    this.#database.exec("PRAGMA journal_mode = WAL");
    this.#database.exec(SCHEMA);
  }

  open(accountId: string, balanceCents: number): void {
    const insert = "INSERT INTO account (id, balance_cents) VALUES (?, ?)";
    this.#database.prepare(insert).run(accountId, balanceCents);
  }

  isCharged(orderId: string): boolean {
    const found = this.#database.prepare("SELECT 1 FROM charge WHERE order_id = ?").get(orderId);
    return found !== undefined;
  }

  charge(charge: Charge): "charged" {
    const update = "UPDATE account SET balance_cents = balance_cents - ? WHERE id = ?";
    this.#write(charge, () => this.#database.prepare(update).run(charge.cents, charge.accountId));
    return "charged";
  }

  chargeFenced(charge: Charge, token: bigint): "charged" | "refused" {
    const update = `
      UPDATE account SET balance_cents = balance_cents - ?, token = ? WHERE id = ? AND token <= ?`;
    const { cents, accountId } = charge;
    const hasWritten = this.#write(charge, () =>
      this.#database.prepare(update).run(cents, token, accountId, token),
    );
    return hasWritten ? "charged" : "refused";
  }

  statement(accountId: string): {
    readonly balanceCents: number;
    readonly charges: readonly string[];
  } {
    const account = this.#database.prepare("SELECT balance_cents FROM account WHERE id = ?");
    const charges = this.#database.prepare("SELECT teller FROM charge WHERE account_id = ?");
    return {
      balanceCents: Number(account.get(accountId)?.["balance_cents"]),
      charges: charges.all(accountId).map((row) => String(row["teller"])),
    };
  }

  close(): void {
    this.#database.close();
  }

  /** Both or none; none if the update finds no account that it may change. */
  #write(
    { orderId, accountId, cents, teller }: Charge,
    update: () => { changes: number | bigint },
  ) {
    this.#database.exec("BEGIN IMMEDIATE");
    const hasUpdated = Number(update().changes) === 1;
    if (hasUpdated) {
      const insert = "INSERT INTO charge (order_id, account_id, cents, teller) VALUES (?, ?, ?, ?)";
      this.#database.prepare(insert).run(orderId, accountId, cents, teller);
    }
    this.#database.exec("COMMIT");
    return hasUpdated;
  }
}
