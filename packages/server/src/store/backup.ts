/** A copy of a data folder that holds together, also while a server writes to it. */
import { Database as SqliteFile } from "bun:sqlite";
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Refused } from "./refused.ts";

/**
 * In this order: what was acknowledged is copied before the entries, so that the copy may deliver something twice and
 * never leaves anything out.
 */
const FILES = ["deliveries.db", "outbox.db", "earshot.db"];
const PATIENCE_MS = 10_000; // ours: another process writes for milliseconds

/**
 * Copies each database of the folder as it is at one moment. The server is not held up.
 *
 * @returns the files in the copy
 * @throws Refused where there is nothing to copy, the target is not empty, or it cannot be written
 */
export function backUp(dataDir: string, target: string): string[] {
  const found = FILES.filter((file) => existsSync(join(dataDir, file)));
  if (found.length === 0)
    throw new Refused(`There is no Earshot data in ${dataDir}: name the folder of the server with --data.`);
  if (existsSync(target) && readdirSync(target).length > 0)
    throw new Refused(`${target} is not empty: name a folder that is new or empty with --to.`);
  let isMade = false;
  try {
    mkdirSync(target, { recursive: true, mode: 0o700 });
    isMade = true;
    for (const file of found) copy(join(dataDir, file), join(target, file));
  } catch (error) {
    if (isMade) for (const file of found) rmSync(join(target, file), { force: true }); // half a backup is none
    const why = error instanceof Error ? error.message : String(error);
    throw new Refused(
      `The backup to ${target} failed (${why}): see that it can be written and that the disk has room.`,
      { cause: error },
    );
  }
  return found;
}

function copy(from: string, to: string): void {
  const database = new SqliteFile(from);
  try {
    database.run(`PRAGMA busy_timeout = ${PATIENCE_MS}`);
    database.query("VACUUM INTO ?").run(to);
  } finally {
    database.close();
  }
  chmodSync(to, 0o600); // it holds secrets
}
