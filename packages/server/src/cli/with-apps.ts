import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Settings } from "#config/fields";
import { Apps } from "#store/apps";
import { type Database, openDatabase } from "#store/database";
import { makeDataFolder } from "#store/folder";
import { Refused } from "#store/refused";

/**
 * Opens the database for one command, beside a server that may be running.
 *
 * @param mayMake whether the folder and the database may be made; otherwise a wrong folder would look like an empty one
 */
export async function withDatabase<T>(
  settings: Settings,
  work: (database: Database) => Promise<T>,
  mayMake = false,
): Promise<T> {
  const [dataDir, url] = [settings["data.dir"], settings["database.url"]];
  if (url === "") {
    if (mayMake) makeDataFolder(dataDir);
    else if (!existsSync(join(dataDir, "earshot.db"))) {
      throw new Refused(
        `There is no Earshot data in ${dataDir}: name the server's data folder with --data, or make the first app with "earshot apps create".`,
      );
    }
  }
  const database = await openDatabase({ dataDir, url });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** The same, for a command that is about apps. */
export function withApps<T>(
  settings: Settings,
  work: (apps: Apps) => Promise<T>,
  mayMake = false,
): Promise<T> {
  return withDatabase(settings, (database) => work(new Apps(database)), mayMake);
}
