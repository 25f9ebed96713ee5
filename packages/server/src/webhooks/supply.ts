import { after } from "#core/answer";
import type { Answer, OutboxEntry } from "#core/ports";
import { type ArrearSums, Arrears } from "./arrears.ts";
import { Backlog } from "./backlog.ts";
import type { Item, Source } from "./batch.ts";
import type { LaneRow } from "./endpoint-table.ts";
import { breathe, type LaneHost } from "./parts.ts";

const PAGES_A_TURN = 20; // ours: 2,000 entries that nobody wants, some milliseconds

/** Events that may go next, all of one kind. */
export interface Supplied {
  readonly source: Source;
  readonly items: readonly Item[];
}

/** What a lane has to send: arrears that are due, then what follows in the outbox. */
export class Supply {
  readonly backlog: Backlog;
  readonly arrears: Arrears;
  readonly #host: LaneHost;
  #isUnreadable = false;

  constructor(host: LaneHost, { lane, cursor }: LaneRow, sums: ArrearSums, head: number) {
    this.#host = host;
    this.arrears = new Arrears(host, lane, sums);
    this.backlog = new Backlog({
      outbox: host.parts.outbox,
      appId: host.app.id,
      lane,
      wants: (entry) => host.wants(entry.event),
      cursor,
      head,
    });
  }

  /** Whether there are arrears that could not be read when they were asked for last. */
  get isUnreadable(): boolean {
    return this.#isUnreadable;
  }

  /** Whether there is something that could go, or may be. */
  get hasMore(): boolean {
    const isDue = this.arrears.isDue && !this.#isUnreadable;
    return isDue || !this.backlog.isComplete || this.backlog.first(1).length > 0;
  }

  /** The first of what may go; undefined where nothing does. */
  next(limit: number): Answer<Supplied | undefined> {
    this.#isUnreadable = false;
    if (!this.arrears.isDue) return this.#logged(limit);
    return this.arrears
      .next(() => this.backlog.cursor)
      .then((arrear) => {
        this.#isUnreadable = arrear === "unreadable"; // then what follows in the outbox does not wait for it
        return arrear === undefined || arrear === "unreadable" ? this.#logged(limit) : arrear;
      });
  }

  /** Reads on until so many events are known, or all. */
  look(limit: number): Answer<void> {
    return this.#readOn(limit, 0);
  }

  #logged(limit: number): Answer<Supplied | undefined> {
    return after(this.#readOn(limit, 0), () => {
      const items = this.backlog.first(limit).map(itemOf);
      return items.length === 0 ? undefined : { source: "log" as const, items };
    });
  }

  #readOn(limit: number, pages: number): Answer<void> {
    if (this.backlog.hasRead(limit)) return;
    if (pages === PAGES_A_TURN) return breathe(this.#host.parts.later).then(() => this.#readOn(limit, 0));
    return after(this.backlog.fill(), () => this.#readOn(limit, pages + 1));
  }
}

function itemOf({ version, occurredMs, event }: OutboxEntry): Item {
  return { version, occurredMs, event };
}
