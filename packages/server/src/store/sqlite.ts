import { existsSync, writeFileSync } from "node:fs";
import { type Database, DatabaseProblem, type Sql } from "./sql.ts";

const PATIENCE_MS = 5_000; // ours: another process writes for milliseconds
const MAX_WAIT_MS = 50;

/** Resolves when the file is open, in WAL mode. */
export async function openSqlite(file: string): Promise<Database> {
  try {
    if (!existsSync(file)) writeFileSync(file, "", { mode: 0o600, flag: "a" }); // it will hold secrets
  } catch (error) {
    throw problem(file, error);
  }
  const database = new SqliteDatabase(file);
  try {
    await database.prepare();
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/**
 * One handle, which every query inside it shares: a query that ran beside a transaction would be part of it and undone
 * with it. So work waits for the work before it.
 */
class SqliteDatabase implements Database {
  readonly place: string;
  readonly #sql: Bun.SQL;
  #last: Promise<unknown> = Promise.resolve();

  constructor(file: string) {
    this.place = file;
    this.#sql = new Bun.SQL({ adapter: "sqlite", filename: file });
  }

  /** `busy_timeout` stays 0: it would stop the whole process for as long as it waits. */
  prepare(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#sql`PRAGMA journal_mode = WAL`;
      await this.#sql`PRAGMA synchronous = FULL`;
      await this.#sql`PRAGMA foreign_keys = ON`;
    });
  }

  read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#inTurn(() => this.#transaction("deferred", work));
  }

  write<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#inTurn(() => this.#transaction("immediate", work));
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#sql.close();
  }

  /** A result that is an array of promises would be awaited one by one, so it travels in a box. */
  async #transaction<T>(mode: "deferred" | "immediate", work: (sql: Sql) => Promise<T>): Promise<T> {
    const box = await this.#sql.begin(mode, async (sql) => ({ value: await work(sql) }));
    return box.value;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => this.#patiently(work));
    this.#last = result.catch(() => undefined); // whoever asked for it hears of it
    return result;
  }

  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    const until = performance.now() + PATIENCE_MS;
    for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)) {
      try {
        return await work();
      } catch (error) {
        if (!isLocked(error) || performance.now() > until) throw problem(this.place, error);
        await Bun.sleep(waitMs);
      }
    }
  }
}

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;

function isLocked(error: unknown): boolean {
  if (!(error instanceof Bun.SQL.SQLiteError)) return false;
  const primary = error.errno & 0xff;
  return primary === SQLITE_BUSY || primary === SQLITE_LOCKED;
}

function problem(file: string, error: unknown): unknown {
  if (isLocked(error)) {
    return new DatabaseProblem(
      `The database ${file} stayed locked by another program for ${PATIENCE_MS / 1_000} s: end that program, then try again.`,
      { cause: error },
    );
  }
  const fromDriver = error instanceof Bun.SQL.SQLError;
  const fromSystem = error instanceof Error && "syscall" in error;
  if (!fromDriver && !fromSystem) return error;
  return new DatabaseProblem(
    `The database ${file} cannot be used (${error.message}): see that the file and its folder can be written and that the disk is not full.`,
    { cause: error },
  );
}
