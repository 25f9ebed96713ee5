import type { StampedEvent } from "@earshot/protocol/webhook";
import type { Announced } from "#core/ports";
import type { KeptEvent, OwedRow } from "./arrears-tables.ts";
import type { Item, Source } from "./batch.ts";
import type { DeliveryTables } from "./delivery-tables.ts";
import { breathe, type LaneHost } from "./parts.ts";
import { eventOfAnnounced, parseSubject, subjectOf } from "./subject.ts";
import { isSuperseded } from "./superseded.ts";

const PAGE = 100; // ours: rows that are looked at in one turn
const MOST_EVENTS = 20; // of a batch

export interface Arrear {
  readonly source: Source;
  readonly items: readonly Item[];
}

/** How many rows of a kind there are, and since when, in unix milliseconds. */
interface Sum {
  readonly count: number;
  readonly sinceMs: number;
}

interface Counter {
  count: number;
  sinceMs: number;
}

export interface ArrearSums {
  readonly isOwedDue: boolean;
  readonly owed: Sum;
  readonly again: Sum;
}

export const NO_ARREARS: ArrearSums = {
  isOwedDue: false,
  owed: { count: 0, sinceMs: 0 },
  again: { count: 0, sinceMs: 0 },
};

/**
 * What a lane is to be told beside what follows in the outbox: present states that the endpoint is owed, and events
 * that were asked for once more. Both are kept in the store; here are only their numbers.
 */
export class Arrears {
  readonly #host: LaneHost;
  readonly #lane: number;
  readonly #owed: Counter;
  readonly #again: Counter;
  /** What is owed is told now; otherwise after the lane's next success. */
  isOwedDue: boolean;

  constructor(host: LaneHost, lane: number, sums: ArrearSums) {
    this.#host = host;
    this.#lane = lane;
    this.#owed = { ...sums.owed };
    this.#again = { ...sums.again };
    this.isOwedDue = sums.isOwedDue;
  }

  get owedCount(): number {
    return this.#owed.count;
  }

  get count(): number {
    return this.#owed.count + this.#again.count;
  }

  get isDue(): boolean {
    return (this.isOwedDue && this.#owed.count > 0) || this.#again.count > 0;
  }

  /** Unix milliseconds since when something is owed. */
  get oldestMs(): number | undefined {
    const sums = [this.#owed, this.#again].filter((sum) => sum.count > 0);
    return sums.length === 0 ? undefined : Math.min(...sums.map((sum) => sum.sinceMs));
  }

  /** So many more states are written down as owed. They wait for a success, unless others are due already. */
  owe(count: number, sinceMs: number): void {
    if (this.#owed.count === 0) this.isOwedDue = false;
    add(this.#owed, count, sinceMs);
  }

  /** So many more events are written down as asked for. */
  askAgain(count: number, sinceMs: number): void {
    add(this.#again, count, sinceMs);
  }

  /**
   * What is due first, and cannot be moot. Undefined where nothing is; "unreadable" while the store is in trouble.
   *
   * @param cursor everything at or below it is done with: what is newer is told in its turn
   */
  async next(cursor: () => number): Promise<Arrear | "unreadable" | undefined> {
    if (this.isOwedDue && this.#owed.count > 0) {
      const owed = await this.#next(this.#owed, {
        source: "owed",
        rows: (tables) => tables.owed.first(this.#host.key, this.#lane, PAGE),
        item: (row: OwedRow) => this.#itemOfOwed(row, cursor()),
        forget: (tables, row: OwedRow) => tables.owed.delete(this.#host.key, this.#lane, row),
      });
      if (owed !== undefined) return owed;
    }
    if (this.#again.count === 0) return undefined;
    return this.#next(this.#again, {
      source: "again",
      rows: (tables) => tables.again.first(this.#host.key, this.#lane, PAGE),
      item: (row: KeptEvent) => this.#itemOfAgain(row),
      forget: (tables, row: KeptEvent) => tables.again.delete(this.#host.key, this.#lane, row.version),
    });
  }

  async #next<Row>(
    sum: Counter,
    kind: {
      readonly source: Source;
      readonly rows: (tables: DeliveryTables) => readonly Row[];
      readonly item: (row: Row) => Promise<Item | undefined>;
      readonly forget: (tables: DeliveryTables, row: Row) => number;
    },
  ): Promise<Arrear | "unreadable" | undefined> {
    const { store, later } = this.#host.parts;
    for (;;) {
      const rows = store.read(kind.rows);
      if (rows === undefined) return "unreadable";
      if (rows.length === 0) {
        sum.count = 0;
        return undefined;
      }
      const items: Item[] = [];
      const moot: Row[] = [];
      for (const row of rows) {
        if (items.length >= MOST_EVENTS) break;
        const item = await kind.item(row);
        if (item === undefined) moot.push(row);
        else items.push(item);
      }
      this.#forget(sum, (tables) => moot.reduce((gone, row) => gone + kind.forget(tables, row), 0));
      if (items.length > 0) {
        return { source: kind.source, items: items.sort((a, b) => a.version - b.version) };
      }
      await breathe(later); // there may be a million of them
    }
  }

  /** They have arrived, dead letters among them: they are owed and asked for no more. */
  told(source: Source, items: readonly Item[]): void {
    const { tally, key, parts } = this.#host;
    if (source === "log" && parts.store.isTroubled) return; // some of it is told once more, and nothing piles up here
    let settled: (() => void) | undefined;
    let revived = 0;
    parts.store.soon(
      (tables) => {
        settled = this.settle(tables, source, items);
        revived = 0;
        if (tally.deadLetters === 0) return;
        for (const { version } of items) revived += tables.deadLetters.delete(key, version);
      },
      () => {
        settled?.();
        tally.deadLetters -= revived;
      },
    );
  }

  /** Deletes them, as part of a transaction. Returns what to call after it. */
  settle(tables: DeliveryTables, source: Source, items: readonly Item[]): () => void {
    const { key } = this.#host;
    const sum = source === "again" ? this.#again : this.#owed;
    let gone = 0;
    for (const { owed, version, event } of items) {
      if (source === "again") gone += tables.again.delete(key, this.#lane, version);
      else {
        // What the log tells is owed no more either.
        const subject = owed?.subject ?? subjectOf(event);
        if (subject !== undefined)
          gone += tables.owed.delete(key, this.#lane, { subject, version: owed?.version ?? version });
      }
    }
    return () => {
      sum.count = Math.max(0, sum.count - gone);
    };
  }

  #forget(sum: Counter, forget: (tables: DeliveryTables) => number): void {
    let gone = 0;
    this.#host.parts.store.soon(
      (tables) => {
        gone = forget(tables);
      },
      () => {
        sum.count = Math.max(0, sum.count - gone);
      },
    );
  }

  async #itemOfOwed(owed: OwedRow, cursor: number): Promise<Item | undefined> {
    const announced = await this.#announced(owed.subject);
    if (announced === undefined || announced.version > cursor) return undefined; // or the log tells it
    const event = eventOfAnnounced(announced);
    if (!this.#host.wants(event)) return undefined;
    return { version: announced.version, occurredMs: announced.occurredMs, event, owed };
  }

  async #itemOfAgain(row: KeptEvent): Promise<Item | undefined> {
    const { id: _, version, occurred_ms, ...event }: StampedEvent = JSON.parse(row.event); // as it was asked for
    if (!this.#host.wants(event) || (await isSuperseded(this.#host, event, version))) return undefined;
    return { version, occurredMs: occurred_ms, event };
  }

  async #announced(subject: string): Promise<Announced | undefined> {
    const { channel, userId } = parseSubject(subject);
    return await this.#host.parts.outbox.announced(this.#host.app.id, channel, userId);
  }
}

function add(sum: Counter, count: number, sinceMs: number): void {
  if (count === 0) return;
  sum.sinceMs = sum.count === 0 ? sinceMs : Math.min(sum.sinceMs, sinceMs);
  sum.count += count;
}
