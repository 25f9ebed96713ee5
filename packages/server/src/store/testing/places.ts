/** Runs one suite on each database that the store speaks to. */
import { afterAll, afterEach, describe } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PostgresServer, postgresPrograms, usePostgres } from "../../../../../test/support/postgres.ts";
import { type DatabaseSettings, openDatabase } from "../database.ts";
import type { Database } from "../sql.ts";

export interface TestDatabases {
  /** A new, empty database. */
  place(): Promise<DatabaseSettings>;
  /** Opens it, and closes it after the test. */
  open(place: DatabaseSettings): Promise<Database>;
}

/** @param suite declares the tests */
export function onEachDatabase(suite: (databases: TestDatabases) => void): void {
  onSqlite(suite);
  onPostgres(suite);
}

export function onSqlite(suite: (databases: TestDatabases) => void): void {
  describe("SQLite", () => {
    const folders: string[] = [];
    afterAll(() => {
      for (const folder of folders) rmSync(folder, { recursive: true });
    });
    suite({
      open: useOpen(),
      async place() {
        const dataDir = mkdtempSync(join(tmpdir(), "earshot-store-"));
        folders.push(dataDir);
        return { dataDir, url: "" };
      },
    });
  });
}

/** Skipped where PostgreSQL is not installed. */
export function onPostgres(suite: (databases: TestDatabases, server: () => PostgresServer) => void): void {
  describe.skipIf(postgresPrograms === undefined)("PostgreSQL", () => {
    const postgres = usePostgres();
    suite(
      {
        open: useOpen(),
        async place() {
          return { dataDir: "", url: await postgres.server.createDatabase() };
        },
      },
      () => postgres.server,
    );
  });
}

function useOpen(): TestDatabases["open"] {
  const opened: Database[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((database) => database.close()));
  });
  return async (place) => {
    const database = await openDatabase(place);
    opened.push(database);
    return database;
  };
}
