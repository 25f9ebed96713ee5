import { MIGRATIONS, type Migration } from "./migrations.ts";
import { Refused } from "./refused.ts";
import { type Database, DatabaseProblem, numberOf, type Sql } from "./sql.ts";

/**
 * Brings a database to the newest version, in one transaction. Several processes may do it at once: one does it, the
 * others find it done.
 *
 * @throws Refused where the database is of a newer version
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  const newest = migrations.at(-1)?.version ?? 0;
  if ((await versionIfAny(database)) === newest) return;
  await database.write(async (sql) => {
    await sql.unsafe("CREATE TABLE IF NOT EXISTS earshot_schema (version INTEGER NOT NULL)");
    const version = await versionOf(sql);
    if (version > newest) {
      throw new Refused(
        `The database ${database.place} has version ${version}, from a newer Earshot; this one knows versions up to ${newest}: start that newer Earshot, or give this one another database.`,
      );
    }
    for (const migration of migrations) {
      if (migration.version <= version) continue;
      for (const statement of migration.statements) await sql.unsafe(statement);
    }
    await sql`DELETE FROM earshot_schema`;
    await sql`INSERT INTO earshot_schema (version) VALUES (${newest})`;
  });
}

/** Asked first, so that a database that is up to date is only read: its user may lack the right to make tables. */
async function versionIfAny(database: Database): Promise<number | undefined> {
  try {
    return await database.read(versionOf);
  } catch (error) {
    if (error instanceof DatabaseProblem) return undefined; // no table yet; if it is worse, writing will say so
    throw error;
  }
}

async function versionOf(sql: Sql): Promise<number> {
  const rows = await sql`SELECT version FROM earshot_schema`;
  return rows[0] === undefined ? 0 : numberOf(rows[0], "version");
}
