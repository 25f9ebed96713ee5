import { Database } from "bun:sqlite";
import { existsSync, writeFileSync } from "node:fs";

/** A file that cannot be used. The message says which, why and what to do. */
export class DeliveryFileProblem extends Error {
  override readonly name = "DeliveryFileProblem";
}

const FORMAT = 1;

/**
 * `endpoints.key` stands for an endpoint in all other tables, and is never given twice: what is left of an endpoint
 * that was removed can go in small steps, also after another one came with its id.
 */
const TABLES = `
  CREATE TABLE endpoints (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    app_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    shape TEXT NOT NULL,       -- where it led and what it wanted when it was last seen
    state TEXT NOT NULL        -- seeding: its present states are being written down; ready; gone
  );
  CREATE UNIQUE INDEX endpoints_named ON endpoints (app_id, endpoint_id) WHERE state <> 'gone';
  CREATE TABLE lanes (
    endpoint INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    cursor INTEGER NOT NULL,   -- everything at or below it is done with
    is_owed_due INTEGER NOT NULL,
    hand TEXT,                 -- the batch that is being tried
    PRIMARY KEY (endpoint, lane)
  ) WITHOUT ROWID;
  CREATE TABLE owed (
    endpoint INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    subject TEXT NOT NULL,     -- CHANNEL or CHANNEL/USER
    version INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (endpoint, lane, subject)
  ) WITHOUT ROWID;
  CREATE INDEX owed_in_order ON owed (endpoint, lane, version);
  CREATE TABLE again (
    endpoint INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    version INTEGER NOT NULL,
    event TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (endpoint, lane, version)
  ) WITHOUT ROWID;
  CREATE TABLE dead_letters (
    endpoint INTEGER NOT NULL,
    version INTEGER NOT NULL,
    event TEXT NOT NULL,
    died_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    delivery_id TEXT,
    attempts INTEGER NOT NULL,
    problem TEXT NOT NULL,
    PRIMARY KEY (endpoint, version)
  ) WITHOUT ROWID;
  CREATE TABLE attempts (
    seq INTEGER PRIMARY KEY,
    endpoint INTEGER NOT NULL,
    delivery_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    versions TEXT NOT NULL,
    signing_key TEXT NOT NULL,
    request TEXT NOT NULL,
    status INTEGER,
    problem TEXT,
    response TEXT,
    duration_ms INTEGER NOT NULL,
    size INTEGER NOT NULL
  );
  CREATE INDEX attempts_of_endpoint ON attempts (endpoint, seq, size);
  CREATE INDEX attempts_of_delivery ON attempts (delivery_id, attempt);
  CREATE TABLE redeliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    app_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    what TEXT NOT NULL,        -- delivery, since, dead
    delivery_id TEXT,
    since_ms INTEGER,
    asked_ms INTEGER NOT NULL,
    state TEXT NOT NULL,       -- asked, answered, refused
    problem TEXT,
    events INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    skipped_list TEXT NOT NULL DEFAULT '[]'
  );
  CREATE INDEX redeliveries_asked ON redeliveries (id) WHERE state = 'asked';
  PRAGMA user_version = ${FORMAT};
`;

/**
 * Opens the file in WAL mode, and makes it where it is missing.
 *
 * @param patienceMs how long a statement waits, and with it the whole process, for another process that writes
 * @throws DeliveryFileProblem
 */
export function openDeliveryFile(file: string, patienceMs: number): Database {
  let db: Database | undefined;
  try {
    if (!existsSync(file)) writeFileSync(file, "", { mode: 0o600, flag: "a" }); // it holds what receivers are told
    db = new Database(file, { strict: true });
    db.run(`PRAGMA busy_timeout = ${patienceMs}`);
    db.run("PRAGMA journal_mode = WAL");
    db.run("PRAGMA synchronous = NORMAL"); // a lost acknowledgement costs a repeated delivery
    prepare(db, file);
    return db;
  } catch (problem) {
    db?.close();
    if (problem instanceof DeliveryFileProblem) throw problem;
    const why = problem instanceof Error ? problem.message : String(problem);
    throw new DeliveryFileProblem(
      `The file ${file} cannot be used (${why}): see that it and its folder can be written and that the disk is not full.`,
      { cause: problem },
    );
  }
}

function prepare(db: Database, file: string): void {
  if (formatOf(db) === FORMAT) return;
  db.transaction(() => {
    const format = formatOf(db); // once more, now that nobody else can make them
    if (format === 0) db.run(TABLES);
    else if (format !== FORMAT) {
      throw new DeliveryFileProblem(
        `The file ${file} has format ${format}, this Earshot knows format ${FORMAT}: use the Earshot that wrote it, or a newer one.`,
      );
    }
  }).immediate();
}

function formatOf(db: Database): number {
  return (
    db.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0 // of a new file
  );
}
