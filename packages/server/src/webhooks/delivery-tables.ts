import type { Database } from "bun:sqlite";
import { AgainTable, OwedTable } from "./arrears-tables.ts";
import { AttemptTable } from "./attempt-table.ts";
import { DeadLetterTable } from "./dead-letter-table.ts";
import { EndpointTable } from "./endpoint-table.ts";
import { Statements } from "./statements.ts";
import { WishTable } from "./wish-table.ts";

/** Every statement that the server runs on `deliveries.db`. Whoever calls decides about transactions. */
export class DeliveryTables {
  readonly endpoints: EndpointTable;
  readonly owed: OwedTable;
  readonly again: AgainTable;
  readonly deadLetters: DeadLetterTable;
  readonly attempts: AttemptTable;
  readonly wishes: WishTable;
  readonly #sql: Statements;

  constructor(db: Database) {
    const sql = new Statements(db);
    this.#sql = sql;
    this.endpoints = new EndpointTable(sql);
    this.owed = new OwedTable(sql);
    this.again = new AgainTable(sql);
    this.deadLetters = new DeadLetterTable(sql);
    this.attempts = new AttemptTable(sql);
    this.wishes = new WishTable(sql);
  }

  /** Another number than before where another process has written. */
  foreignWrites(): number {
    return this.#sql.all<{ data_version: number }>("PRAGMA data_version")[0]?.data_version ?? 0; // there is always a row
  }

  /** Deletes some of what is left of endpoints that are gone. False where nothing is left. */
  clearGone(limit: number): boolean {
    const key = this.endpoints.gone();
    if (key === undefined) return false;
    const cleared =
      this.attempts.deleteOldest(key, limit).length +
      this.deadLetters.deleteOldest(key, limit) +
      this.owed.deleteSome(key, limit) +
      this.again.deleteSome(key, limit);
    if (cleared === 0) this.endpoints.delete(key);
    return true;
  }
}
