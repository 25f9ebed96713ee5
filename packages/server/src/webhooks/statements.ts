import type { Database, SQLQueryBindings } from "bun:sqlite";

/** Runs statements, each of which the driver prepares once. */
export class Statements {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  all<Row>(sql: string, ...bindings: SQLQueryBindings[]): Row[] {
    return this.#db.query<Row, SQLQueryBindings[]>(sql).all(...bindings);
  }

  /** Of a query whose rows have a column `count`: that of the first one. */
  count(sql: string, ...bindings: SQLQueryBindings[]): number {
    return this.all<{ count: number }>(sql, ...bindings)[0]?.count ?? 0;
  }

  /** Returns how many rows it changed. */
  run(sql: string, ...bindings: SQLQueryBindings[]): number {
    return this.#db.query<unknown, SQLQueryBindings[]>(sql).run(...bindings).changes;
  }

  /** Returns the row's number. */
  insert(sql: string, ...bindings: SQLQueryBindings[]): number {
    return Number(this.#db.query<unknown, SQLQueryBindings[]>(sql).run(...bindings).lastInsertRowid);
  }
}
