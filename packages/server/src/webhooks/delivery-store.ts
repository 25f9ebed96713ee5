import type { Database } from "bun:sqlite";
import type { Disk } from "#core/ports";
import type { Log } from "#observe/log";
import { ATTEMPT_BOUNDS, type AttemptBounds, AttemptBuffer } from "./attempt-buffer.ts";
import type { AttemptRow } from "./attempt-table.ts";
import { openDeliveryFile } from "./delivery-file.ts";
import { DeliveryTables } from "./delivery-tables.ts";
import type { LaneRow } from "./endpoint-table.ts";

const FLUSH_GAP_MS = 50; // ours: what happens meanwhile is written together
const CLEARED_AT_ONCE = 500; // ours: rows; some milliseconds

export interface DeliveryStoreParts {
  /** `deliveries.db` in the data folder; one server writes it, other processes may look and ask. */
  readonly file: string;
  /** Returns the way out. */
  readonly later: (ms: number, act: () => void) => () => void;
  readonly log: Log;
  readonly bounds?: AttemptBounds;
  readonly disk?: Pick<Disk, "lastResortPages" | "checkpoint">;
}

interface Work {
  readonly run: (tables: DeliveryTables) => void;
  readonly done: () => void;
}

/**
 * How far deliveries have come, written together at most every 50 ms. While the file cannot be written, what may be
 * repeated or missed waits here: positions, of which the newest counts, and attempts, of which the oldest are dropped.
 * What must not be missed is written by `write`, which says whether it was.
 */
export class DeliveryStore {
  readonly #parts: DeliveryStoreParts;
  readonly #db: Database;
  readonly #tables: DeliveryTables;
  readonly #attempts: AttemptBuffer;
  readonly #lanes = new Map<string, { readonly endpoint: number; readonly row: LaneRow }>();
  #works: Work[] = [];
  #cancelFlush: (() => void) | undefined;
  #isTroubled = false;
  #isClosed = false;

  /** @throws DeliveryFileProblem */
  constructor(parts: DeliveryStoreParts) {
    this.#parts = parts;
    this.#db = openDeliveryFile(parts.file, 0); // patience would stop the whole server
    if (parts.disk !== undefined) this.#db.run(`PRAGMA wal_autocheckpoint = ${parts.disk.lastResortPages}`);
    this.#tables = new DeliveryTables(this.#db);
    this.#attempts = new AttemptBuffer(this.#tables.attempts.sums(), parts.bounds ?? ATTEMPT_BOUNDS);
  }

  /** A lane's position and batch as they are now; what was said of it before no longer counts. */
  laneIs(endpoint: number, row: LaneRow): void {
    this.#lanes.set(`${endpoint}/${row.lane}`, { endpoint, row });
    this.#flushSoon();
  }

  attempted(endpoint: number, row: AttemptRow): void {
    this.#attempts.add(endpoint, row);
    this.#flushSoon();
  }

  /** Part of the next write that succeeds; `done` is called after it. May run more than once: the last time counts. */
  soon(run: (tables: DeliveryTables) => void, done: () => void = () => undefined): void {
    this.#works.push({ run, done });
    this.#flushSoon();
  }

  /** Writes at once, as one step with all that waits. False where that failed, and nothing of `run` is done then. */
  write(run: (tables: DeliveryTables) => void): boolean {
    return this.#commit(run);
  }

  /** Writes what waits. */
  flush(): boolean {
    return !this.#hasWaiting || this.#commit();
  }

  get #hasWaiting(): boolean {
    return this.#lanes.size > 0 || !this.#attempts.isEmpty || this.#works.length > 0;
  }

  /** What is written, and all that waited before. Undefined while the file cannot be read or written. */
  read<T>(look: (tables: DeliveryTables) => T): T | undefined {
    if (this.#isClosed || !this.flush()) return undefined;
    try {
      return look(this.#tables);
    } catch (problem) {
      this.#fail(problem);
      return undefined;
    }
  }

  /** Deletes old attempts, and what is left of endpoints that are gone: a little. False where there is nothing more. */
  clean(wallMs: number): boolean {
    let hasMore = false;
    const isWritten = this.#commit(undefined, (tables) => {
      const hasOld = this.#attempts.forgetOld(tables, wallMs);
      hasMore = tables.clearGone(CLEARED_AT_ONCE) || hasOld;
    });
    return isWritten && hasMore;
  }

  /** It cannot be written now, or could not when that was tried last. */
  get isTroubled(): boolean {
    return this.#isTroubled;
  }

  /** Attempts that the log lacks, because the file could not be written for too long. */
  get droppedAttempts(): number {
    return this.#attempts.dropped;
  }

  close(): void {
    if (this.#isClosed) return;
    this.flush();
    this.#isClosed = true;
    this.#cancelFlush?.();
    this.#db.close();
  }

  #flushSoon(): void {
    if (this.#isClosed || this.#cancelFlush !== undefined) return;
    this.#cancelFlush = this.#parts.later(FLUSH_GAP_MS, () => {
      this.flush();
      const { disk } = this.#parts;
      if (disk === undefined) this.#flushed();
      else disk.checkpoint(() => this.#flushed());
    });
  }

  #flushed(): void {
    this.#cancelFlush = undefined;
    if (this.#hasWaiting) this.#flushSoon();
  }

  #commit(run?: (tables: DeliveryTables) => void, afterAttempts?: (tables: DeliveryTables) => void): boolean {
    if (this.#isClosed) return false;
    const works = this.#works;
    try {
      this.#db
        .transaction(() => {
          for (const { endpoint, row } of this.#lanes.values()) this.#tables.endpoints.putLane(endpoint, row);
          for (const work of works) work.run(this.#tables);
          run?.(this.#tables);
          this.#attempts.write(this.#tables);
          afterAttempts?.(this.#tables);
        })
        .immediate();
    } catch (problem) {
      this.#fail(problem);
      return false;
    }
    this.#lanes.clear();
    this.#works = [];
    this.#attempts.written();
    this.#recover();
    for (const { done } of works) done();
    return true;
  }

  #fail(problem: unknown): void {
    if (this.#isTroubled) return;
    this.#isTroubled = true;
    this.#parts.log.error(
      { file: this.#parts.file, problem: problem instanceof Error ? problem.message : String(problem) },
      "the deliveries cannot be written down: webhooks go on, and may be repeated after a restart",
    );
  }

  #recover(): void {
    if (!this.#isTroubled) return;
    this.#isTroubled = false;
    this.#parts.log.info(
      { file: this.#parts.file, droppedAttempts: this.droppedAttempts },
      "the deliveries are written down again",
    );
  }
}
