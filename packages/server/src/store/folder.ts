/** The data folder: one server owns it at a time, and leaves in it where it can be found. */
import { Database as SqliteFile } from "bun:sqlite";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Refused } from "./refused.ts";

const LOCK_FILE = "earshot.lock";
const PID_FILE = "earshot.pid";
const URL_FILE = "earshot.url";

/** A lock that nothing refers to would be collected, and so released. */
const held = new Set<SqliteFile>();

/** A folder that this process owns until `release`, or until it ends in whatever way. */
export interface DataFolder {
  readonly path: string;
  /** Leaves the address in the folder, for commands that look for this server. */
  announce(url: string): void;
  release(): void;
}

/**
 * Makes the folder if it is missing, takes its lock and writes the process id.
 *
 * @throws Refused where it cannot be written, or another server owns it
 */
export function ownDataFolder(path: string, pid: number = process.pid): DataFolder {
  makeDataFolder(path);
  const lock = takeLock(path);
  const pidFile = join(path, PID_FILE);
  const urlFile = join(path, URL_FILE);
  try {
    rmSync(urlFile, { force: true }); // of an owner that was killed
    writeWhole(pidFile, `${pid}\n`);
  } catch (error) {
    lock.close();
    throw notWritable(path, error);
  }
  held.add(lock);
  let released = false;
  return {
    path,
    announce(url) {
      if (!released) writeWhole(urlFile, `${url}\n`);
    },
    release() {
      if (released) return;
      released = true;
      rmSync(urlFile, { force: true });
      rmSync(pidFile, { force: true });
      held.delete(lock);
      lock.close(); // last: until here nobody else may write the two
    },
  };
}

/** @throws Refused where the folder can neither be found nor made */
export function makeDataFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw notWritable(path, error);
  }
}

/** Where the server that owns the folder listens, or undefined where none does. */
export function serverUrl(path: string): string | undefined {
  return readLine(join(path, URL_FILE));
}

/**
 * SQLite's exclusive lock, which the system drops when the process ends, also by `kill -9`. Nothing else in this
 * process may open the file: closing it again would drop the lock.
 */
function takeLock(path: string): SqliteFile {
  let lock: SqliteFile | undefined;
  try {
    lock = new SqliteFile(join(path, LOCK_FILE));
    lock.run("PRAGMA busy_timeout = 0");
    lock.run("BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock?.close();
    if (!(error instanceof Error && "code" in error && error.code === "SQLITE_BUSY"))
      throw notWritable(path, error);
    const owner = readLine(join(path, PID_FILE));
    throw new Refused(
      `The data folder ${path} belongs to a running Earshot${owner === undefined ? "" : ` (process ${owner})`}: stop that one, or give this one another folder with --data.`,
    );
  }
}

function notWritable(path: string, error: unknown): Refused {
  const why = error instanceof Error ? error.message : String(error);
  return new Refused(
    `The data folder ${path} cannot be written (${why}): make it writable for this user, make room on its disk, or name another with --data.`,
    { cause: error },
  );
}

/** A reader finds the old text or the new one, never half of it. */
function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function readLine(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim() || undefined;
  } catch {
    return undefined; // it is not there, or not for this user
  }
}
