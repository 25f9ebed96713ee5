/** Opens the database that apps and operators live in: SQLite in the data folder, or PostgreSQL. */
import { join } from "node:path";
import { migrate } from "./migrate.ts";
import { PostgresDatabase } from "./postgres.ts";
import type { Database } from "./sql.ts";
import { openSqlite } from "./sqlite.ts";

export type { Database } from "./sql.ts";

export interface DatabaseSettings {
  readonly dataDir: string;
  /** `postgres://...`, or empty for SQLite in the data folder. */
  readonly url: string;
}

/**
 * Opens it and brings it to this version.
 *
 * @throws DatabaseProblem where it cannot be used, Refused where a newer Earshot made it
 */
export async function openDatabase({ dataDir, url }: DatabaseSettings): Promise<Database> {
  const database = url === "" ? await openSqlite(join(dataDir, "earshot.db")) : new PostgresDatabase(url);
  try {
    await migrate(database);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}
