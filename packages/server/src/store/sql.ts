/** What the store asks of a database, whichever it is. */

type SqlValue = string | number | null;

/** Columns as the driver gives them: PostgreSQL writes a BIGINT as text. */
export type Row = Readonly<Record<string, unknown>>;

/** Runs a query written as a template; values become parameters. The same text suits SQLite and PostgreSQL. */
export interface Sql {
  (text: TemplateStringsArray, ...values: readonly SqlValue[]): Promise<readonly Row[]>;
  /** Runs a text as it is, for statements that take no parameters. */
  unsafe(text: string): Promise<unknown>;
}

/**
 * Work is one transaction and does nothing besides: it is repeated from its start where another process was in the
 * way. What it throws undoes it, and comes out unchanged.
 *
 * @throws DatabaseProblem where the database does not do its part
 */
export interface Database {
  /** For messages: the file, or the address without its password. */
  readonly place: string;
  /** All queries of the work see one state. */
  read<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** One writer at a time, all processes together. */
  write<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** The database cannot be asked, or refused a query. The message is one line and holds no password. */
export class DatabaseProblem extends Error {
  override readonly name = "DatabaseProblem";
}

/** A BIGINT or INTEGER column; both drivers' forms. */
export function numberOf(row: Row, column: string): number {
  const value = Number(row[column]);
  if (row[column] !== null && Number.isSafeInteger(value)) return value;
  throw new DatabaseProblem(`Column ${column} holds no whole number.`);
}

export function textOf(row: Row, column: string): string {
  const value = row[column];
  if (typeof value === "string") return value;
  throw new DatabaseProblem(`Column ${column} holds no text.`);
}
