import { Database, type Statement } from "bun:sqlite";
import { existsSync, writeFileSync } from "node:fs";
import type { WebhookEvent } from "@earshot/protocol/webhook";
import { laneOf } from "#core/lane";
import type { Announced, Disk, OutboxEntry, OutboxQuery } from "#core/ports";

/** A file that cannot be used. The message says which, why and what to do. */
export class LedgerProblem extends Error {
  override readonly name = "LedgerProblem";
}

/** What a commit writes, in this order. The subject of a state event is announced in the same step. */
export interface LedgerRecord {
  readonly appId: string;
  readonly event: WebhookEvent;
  readonly occurredMs: number;
  readonly subscriptions: number;
}

/** An app as the ledger knows it. */
export interface LedgerApp {
  readonly appId: string;
  /** The newest version. */
  readonly version: number;
  /** The newest version whose entry may be gone. */
  readonly trimmed: number;
}

const FORMAT = 1;
const LOOKED_UP_AFTER = 60; // ours: times that something is to be trimmed, ten minutes or so

const TABLES = `
  CREATE TABLE counters (app_id TEXT PRIMARY KEY, version INTEGER NOT NULL, trimmed INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE announced (
    app_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    user_id TEXT NOT NULL, -- empty for the channel itself
    is_present INTEGER NOT NULL,
    version INTEGER NOT NULL,
    occurred_ms INTEGER NOT NULL,
    subscriptions INTEGER NOT NULL,
    PRIMARY KEY (app_id, channel, user_id)
  ) WITHOUT ROWID;
  CREATE INDEX announced_gone ON announced (app_id, version) WHERE is_present = 0;
  CREATE TABLE entries (
    app_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    occurred_ms INTEGER NOT NULL,
    subscriptions INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (app_id, version)
  ) WITHOUT ROWID;
  CREATE INDEX entries_of_lane ON entries (app_id, lane, version);
  CREATE TABLE stop (is_planned INTEGER NOT NULL);
  INSERT INTO stop VALUES (0);
  PRAGMA user_version = ${FORMAT};
`;

interface AnnouncedRow {
  app_id: string;
  channel: string;
  user_id: string;
  is_present: number;
  version: number;
  occurred_ms: number;
  subscriptions: number;
}

interface EntryRow {
  app_id: string;
  version: number;
  occurred_ms: number;
  subscriptions: number;
  event: string;
}

/** What was announced, under which version, and the entries that tell it: one SQLite file, one writer. */
export class Ledger {
  readonly #db: Database;
  readonly #disk: Disk;
  readonly #versions = new Map<string, number>();
  /** Of apps whose entries were counted. */
  readonly #entryCounts = new Map<string, number>();
  /** Below which what is gone is more than is kept, by app; looked up rarely. */
  readonly #goneBelow = new Map<string, { readonly version: number; uses: number }>();
  readonly #insert: Statement<unknown, [string, number, number, number, number, string]>;
  readonly #announce: Statement<unknown, [string, string, string, number, number, number, number]>;
  readonly #count: Statement<unknown, [string, number]>;

  /** @throws LedgerProblem */
  constructor(file: string, disk: Disk) {
    this.#db = open(file, disk);
    this.#disk = disk;
    for (const { appId, version } of this.apps()) this.#versions.set(appId, version);
    this.#insert = this.#db.prepare("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)");
    this.#announce = this.#db.prepare(
      `INSERT INTO announced VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET is_present = excluded.is_present,
        version = excluded.version, occurred_ms = excluded.occurred_ms, subscriptions = excluded.subscriptions`,
    );
    this.#count = this.#db.prepare(
      "INSERT INTO counters VALUES (?, ?, 0) ON CONFLICT DO UPDATE SET version = excluded.version",
    );
  }

  apps(): LedgerApp[] {
    return this.#db.query<LedgerApp, []>("SELECT app_id AS appId, version, trimmed FROM counters").all();
  }

  /**
   * Writes all of it, or nothing. It survives the process from here on; a power failure only when it is flushed.
   *
   * @throws what SQLite says where it cannot be written
   */
  commit(records: readonly LedgerRecord[], wallMs: number): OutboxEntry[] {
    const versions = new Map<string, number>();
    const write = this.#db.transaction(() => {
      const entries = records.map((record) => {
        const before = versions.get(record.appId) ?? this.#versions.get(record.appId) ?? 0;
        const version = Math.max(before + 1, wallMs * 1_000);
        versions.set(record.appId, version);
        this.#write(record, version);
        return { ...record, version };
      });
      for (const [appId, version] of versions) this.#count.run(appId, version);
      return entries;
    });
    const entries = write.immediate();
    for (const [appId, version] of versions) this.#versions.set(appId, version);
    for (const { appId } of entries) this.#counted(appId, 1);
    return entries;
  }

  #write({ appId, event, occurredMs, subscriptions }: LedgerRecord, version: number): void {
    this.#insert.run(appId, version, laneOf(event.channel), occurredMs, subscriptions, JSON.stringify(event));
    switch (event.name) {
      case "channel_occupied":
      case "channel_vacated": {
        const isPresent = event.name === "channel_occupied" ? 1 : 0;
        this.#announce.run(appId, event.channel, "", isPresent, version, occurredMs, subscriptions);
        break;
      }
      case "member_added":
      case "member_removed": {
        const isPresent = event.name === "member_added" ? 1 : 0;
        this.#announce.run(
          appId,
          event.channel,
          event.user_id,
          isPresent,
          version,
          occurredMs,
          subscriptions,
        );
      }
    }
  }

  /** Who is announced present, in order of version. */
  *present(): Generator<Announced & { readonly appId: string }> {
    const query = this.#db.query<AnnouncedRow, []>(
      "SELECT * FROM announced WHERE is_present = 1 ORDER BY version",
    );
    for (const row of query.iterate()) yield { appId: row.app_id, ...announcedOf(row) };
  }

  announced(appId: string, channel: string, userId = ""): Announced | undefined {
    const row = this.#db
      .query<AnnouncedRow, [string, string, string]>(
        "SELECT * FROM announced WHERE app_id = ? AND channel = ? AND user_id = ?",
      )
      .get(appId, channel, userId);
    return row === null ? undefined : announcedOf(row);
  }

  read({ appId, after, limit, lane }: OutboxQuery): OutboxEntry[] {
    const rows =
      lane === undefined
        ? this.#db
            .query<EntryRow, [string, number, number]>(
              "SELECT * FROM entries WHERE app_id = ? AND version > ? ORDER BY version LIMIT ?",
            )
            .all(appId, after, limit)
        : this.#db
            .query<EntryRow, [string, number, number, number]>(
              "SELECT * FROM entries WHERE app_id = ? AND lane = ? AND version > ? ORDER BY version LIMIT ?",
            )
            .all(appId, lane, after, limit);
    return rows.map((row) => ({
      appId: row.app_id,
      version: row.version,
      occurredMs: row.occurred_ms,
      subscriptions: row.subscriptions,
      event: JSON.parse(row.event), // as `commit` wrote it
    }));
  }

  /**
   * Deletes entries at or below `delivered` that are older than `beforeVersion` or not among the newest `keep`, at most
   * `limit` of them, oldest first. Returns the newest version that may be gone now, and whether more is to be deleted.
   */
  trim(appId: string, bounds: { delivered: number; beforeVersion: number; keep: number; limit: number }) {
    const oldest = this.#db
      .query<{ version: number }, [string, number, number]>(
        "SELECT version FROM entries WHERE app_id = ? AND version <= ? ORDER BY version LIMIT ?",
      )
      .all(appId, bounds.delivered, bounds.limit);
    const surplus = this.#entryCount(appId) - bounds.keep;
    const doomed = oldest.filter(({ version }, index) => version <= bounds.beforeVersion || index < surplus);
    const last = doomed.at(-1)?.version;
    if (last === undefined) return { isDone: true };
    this.#db
      .transaction(() => {
        this.#db.query("DELETE FROM entries WHERE app_id = ? AND version <= ?").run(appId, last);
        this.#trimmedTo(appId, last);
      })
      .immediate();
    this.#counted(appId, -doomed.length);
    return { trimmed: last, isDone: doomed.length < bounds.limit };
  }

  /** Counted once, which takes some milliseconds; from then on it is known. */
  #entryCount(appId: string): number {
    const known = this.#entryCounts.get(appId);
    if (known !== undefined) return known;
    const query = this.#db.query<{ count: number }, [string]>(
      "SELECT count(*) AS count FROM entries WHERE app_id = ?",
    );
    const count = query.get(appId)?.count ?? 0;
    this.#entryCounts.set(appId, count);
    return count;
  }

  #counted(appId: string, more: number): void {
    const known = this.#entryCounts.get(appId);
    if (known !== undefined) this.#entryCounts.set(appId, known + more);
  }

  /** Deletes what was announced gone: all but the newest `keep` from `beforeVersion` on, at most `limit` of them. */
  trimGone(appId: string, bounds: { beforeVersion: number; keep: number; limit: number }): boolean {
    const below = Math.max(bounds.beforeVersion, this.#surplusGone(appId, bounds.keep));
    const { changes } = this.#db
      .query(
        `DELETE FROM announced WHERE (app_id, channel, user_id) IN (SELECT app_id, channel, user_id FROM announced
          WHERE app_id = ? AND is_present = 0 AND version <= ? LIMIT ?)`,
      )
      .run(appId, below, bounds.limit);
    return changes < bounds.limit;
  }

  /** The version of the newest that is gone beyond the newest `keep`, as of some minutes ago: going through a million takes long. */
  #surplusGone(appId: string, keep: number): number {
    const known = this.#goneBelow.get(appId);
    if (known !== undefined && ++known.uses < LOOKED_UP_AFTER) return known.version;
    const nthNewest = this.#db
      .query<{ version: number }, [string, number]>(
        "SELECT version FROM announced WHERE app_id = ? AND is_present = 0 ORDER BY version DESC LIMIT 1 OFFSET ?",
      )
      .get(appId, keep);
    const version = nthNewest?.version ?? 0;
    this.#goneBelow.set(appId, { version, uses: 0 });
    return version;
  }

  /** The apps of which there is more than the counter. */
  remembered(): string[] {
    const rows = this.#db
      .query<{ app_id: string }, []>(
        `SELECT app_id FROM counters WHERE EXISTS (SELECT 1 FROM announced WHERE app_id = counters.app_id)
          OR EXISTS (SELECT 1 FROM entries WHERE app_id = counters.app_id)`,
      )
      .all();
    return rows.map((row) => row.app_id);
  }

  /**
   * Deletes what an app has at or below a version, at most `limit` entries and as many states; never the counter, which
   * must not begin again. False where there is more.
   *
   * @throws what SQLite says where it cannot be written
   */
  forget(appId: string, upTo: number, limit: number): boolean {
    let isDone = false;
    this.#db
      .transaction(() => {
        const states = this.#db
          .query(
            `DELETE FROM announced WHERE (app_id, channel, user_id) IN
              (SELECT app_id, channel, user_id FROM announced WHERE app_id = ? AND version <= ? LIMIT ?)`,
          )
          .run(appId, upTo, limit);
        const entries = this.#db
          .query(
            `DELETE FROM entries WHERE app_id = ?1 AND version IN
              (SELECT version FROM entries WHERE app_id = ?1 AND version <= ?2 ORDER BY version LIMIT ?3)`,
          )
          .run(appId, upTo, limit);
        this.#trimmedTo(appId, upTo);
        isDone = states.changes < limit && entries.changes < limit;
      })
      .immediate();
    this.#entryCounts.delete(appId);
    return isDone;
  }

  #trimmedTo(appId: string, version: number): void {
    this.#db.query("UPDATE counters SET trimmed = max(trimmed, ?) WHERE app_id = ?").run(version, appId);
  }

  /**
   * Whether the last owner was stopped as planned. Asking takes the mark away.
   *
   * @throws LedgerProblem where it cannot be written
   */
  takePlannedStop(): boolean {
    try {
      const row = this.#db.query<{ is_planned: number }, []>("SELECT is_planned FROM stop").get();
      this.#db.run("UPDATE stop SET is_planned = 0");
      return row?.is_planned === 1;
    } catch (error) {
      throw unusable(this.#db.filename, error);
    }
  }

  markPlannedStop(): void {
    this.#db.run("UPDATE stop SET is_planned = 1");
  }

  /** Tells when all that was committed is durable, or why that is not known. Nothing is to be committed until then. */
  flush(done: (problem: string | undefined) => void): void {
    this.#disk.checkpoint(() => this.#disk.flush(done));
  }

  /** @throws what the disk says */
  flushNow(): void {
    this.#disk.flushNow();
  }

  close(): void {
    this.#db.close();
  }
}

function announcedOf(row: AnnouncedRow): Announced {
  const { channel, version, subscriptions } = row;
  const known = {
    channel,
    isPresent: row.is_present === 1,
    version,
    occurredMs: row.occurred_ms,
    subscriptions,
  };
  return row.user_id === "" ? known : { ...known, userId: row.user_id };
}

/** `busy_timeout` stays 0: it would stop the whole process for as long as it waits. */
function open(file: string, disk: Disk): Database {
  let db: Database | undefined;
  try {
    if (!existsSync(file)) writeFileSync(file, "", { mode: 0o600, flag: "a" }); // names and data of others' users
    db = new Database(file, { strict: true });
    db.run("PRAGMA journal_mode = WAL");
    db.run("PRAGMA synchronous = NORMAL"); // see flush
    db.run(`PRAGMA wal_autocheckpoint = ${disk.lastResortPages}`);
    const { user_version: format = 0 } =
      db.query<{ user_version: number }, []>("PRAGMA user_version").get() ?? {};
    if (format > FORMAT)
      throw new LedgerProblem(
        `${file} was written by a newer Earshot (format ${format}, this one knows ${FORMAT}): start the newer one, or restore a backup.`,
      );
    if (format === 0) db.transaction(() => db?.run(TABLES)).immediate();
    disk.flushNow(); // what a process that was killed had written
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof LedgerProblem) throw error;
    throw unusable(file, error);
  }
}

function unusable(file: string, cause: unknown): LedgerProblem {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new LedgerProblem(
    `${file} cannot be used (${why}): see that it can be written and that the disk is not full, or restore a backup.`,
    { cause },
  );
}
