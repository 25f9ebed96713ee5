import { type Database, DatabaseProblem, type Sql } from "./sql.ts";

const MAX_CONNECTIONS = 4; // ours: apps are read now and then
const CONNECT_SECONDS = 5;
const ANSWER_MS = 10_000; // ours: a database that is silent for so long counts as away
const WRITER_LOCK = 7_035_921_846_512_003; // ours: any number that no other program of this database takes

/** Connects when it is first asked, and again after the server was away. */
export class PostgresDatabase implements Database {
  readonly place: string;
  readonly #url: string;
  readonly #answerMs: number;
  #pool: Bun.SQL;

  constructor(url: string, answerMs = ANSWER_MS) {
    this.#url = url;
    this.#answerMs = answerMs;
    this.place = withoutPassword(url);
    this.#pool = this.#connect();
  }

  read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#transaction("ISOLATION LEVEL REPEATABLE READ READ ONLY", work);
  }

  write<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#transaction("ISOLATION LEVEL READ COMMITTED READ WRITE", async (sql) => {
      await sql`SELECT pg_advisory_xact_lock(${WRITER_LOCK})`;
      return await work(sql);
    });
  }

  async close(): Promise<void> {
    await this.#pool.close({ timeout: 1 });
  }

  #connect(): Bun.SQL {
    // PGDATABASE in the environment would win over the address.
    const database = decodeURIComponent(URL.parse(this.#url)?.pathname.slice(1) ?? "");
    return new Bun.SQL(this.#url, {
      max: MAX_CONNECTIONS,
      connectionTimeout: CONNECT_SECONDS,
      ...(database === "" ? {} : { database }),
    });
  }

  async #transaction<T>(options: string, work: (sql: Sql) => Promise<T>): Promise<T> {
    const pool = this.#pool;
    const silence = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      silence.reject(
        new DatabaseProblem(`The database ${this.place} did not answer within ${this.#answerMs / 1_000} s.`),
      );
      // Its connections may be dead without knowing: the next work gets new ones.
      if (this.#pool === pool) this.#pool = this.#connect();
      pool.close({ timeout: 0 }).catch(() => undefined);
    }, this.#answerMs);
    try {
      const box = pool.begin(options, async (sql) => ({ value: await work(sql) }));
      return (await Promise.race([box, silence.promise])).value;
    } catch (error) {
      throw problem(this.place, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

function withoutPassword(address: string): string {
  const url = URL.parse(address);
  if (url === null) return "of PostgreSQL";
  url.password = "";
  url.search = "";
  return url.href;
}

function problem(place: string, error: unknown): unknown {
  if (!(error instanceof Bun.SQL.PostgresError)) return error;
  const away = error.errno === undefined; // the server itself said nothing
  const remedy = away ? "see that it runs and that the address is right" : "see its own log";
  return new DatabaseProblem(`The database ${place} cannot be used (${error.message}): ${remedy}.`, {
    cause: error,
  });
}
