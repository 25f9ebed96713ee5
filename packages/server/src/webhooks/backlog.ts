import { after } from "#core/answer";
import type { Answer, Outbox, OutboxEntry } from "#core/ports";

export interface BacklogParts {
  readonly outbox: Pick<Outbox, "read">;
  readonly appId: string;
  readonly lane: number;
  readonly wants: (entry: OutboxEntry) => boolean;
  /** Everything at or below it is done with. */
  readonly cursor: number;
  /** The newest version that is known to be committed. Whatever comes after it is offered. */
  readonly head: number;
}

const PAGE = 100; // ours: what of an endpoint's million events is in memory, a lane
const COUNTED_PAGE = 500; // ours: a few milliseconds

/** What of the outbox waits for one lane: its first events in memory, the others only counted. */
export class Backlog {
  readonly #parts: BacklogParts;
  #cursor: number;
  /** Everything wanted between the cursor and it is in the queue. */
  #readTo: number;
  #readToMs: number | undefined;
  #queue: OutboxEntry[] = [];
  /** The queue is all that waits. */
  #isComplete = false;
  #hasMissed = false;
  #filling: Promise<void> | undefined;
  #epoch = 0;
  #count = 0;
  /** Up to the first, and from the second on, everything that waits is counted. */
  #countedTo: number;
  #countedFrom: number;

  constructor(parts: BacklogParts) {
    this.#parts = parts;
    this.#cursor = parts.cursor;
    this.#readTo = parts.cursor;
    this.#countedTo = parts.cursor;
    this.#countedFrom = parts.head;
  }

  get cursor(): number {
    return this.#cursor;
  }

  /** Events that wait, those in hand included; too few until `isCounted`. */
  get count(): number {
    return this.#count;
  }

  get isCounted(): boolean {
    return this.#countedTo >= this.#countedFrom;
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** The first of what waits. */
  first(limit: number): readonly OutboxEntry[] {
    return this.#queue.slice(0, limit);
  }

  /** Whether so many are in the queue, or all that there are. */
  hasRead(limit: number): boolean {
    return this.#isComplete || this.#queue.length >= limit;
  }

  /**
   * Unix milliseconds. Where it is not known which event is the oldest, because it is still being looked for, it is a
   * time at which that one had not happened yet: whoever asks must not take what is unknown for delivered.
   */
  get oldestMs(): number | undefined {
    const [oldest] = this.#queue;
    if (oldest !== undefined) return oldest.occurredMs;
    if (this.#isComplete) return undefined;
    return this.#readToMs ?? Math.floor(this.#cursor / 1_000); // versions are microseconds at the least
  }

  /** A wanted event of this lane was committed. */
  offer(entry: OutboxEntry): void {
    if (entry.version > this.#countedFrom) this.#count++;
    if (entry.version <= Math.max(this.#readTo, this.#cursor)) return; // a reader saw it before we were told
    if (!this.#isComplete || this.#queue.length >= PAGE) {
      this.#isComplete = false;
      this.#hasMissed = true;
      return;
    }
    this.#queue.push(entry);
    this.#readTo = entry.version;
    this.#readToMs = entry.occurredMs;
  }

  /** Reads on, one page. Only one is under way at a time: a second one would hide what was committed in between. */
  fill(): Answer<void> {
    if (this.#filling !== undefined) return this.#filling;
    const filled = this.#fill();
    if (!(filled instanceof Promise)) return;
    const filling = filled.finally(() => {
      if (this.#filling === filling) this.#filling = undefined;
    });
    this.#filling = filling;
    return filling;
  }

  #fill(): Answer<void> {
    const epoch = this.#epoch;
    const from = Math.max(this.#readTo, this.#cursor);
    this.#hasMissed = false;
    const { outbox, appId, lane } = this.#parts;
    return after(outbox.read({ appId, lane, after: from, limit: PAGE }), (entries) => {
      if (epoch === this.#epoch) this.#take(from, entries);
    });
  }

  #take(from: number, entries: readonly OutboxEntry[]): void {
    const isLast = entries.length < PAGE;
    if (from <= this.#countedTo) this.#countPage(entries, isLast);
    for (const entry of entries) {
      if (entry.version <= Math.max(this.#readTo, this.#cursor)) continue;
      if (this.#parts.wants(entry)) this.#queue.push(entry);
    }
    const last = entries.at(-1);
    if (last !== undefined && last.version > this.#readTo) {
      this.#readTo = last.version;
      this.#readToMs = last.occurredMs;
    }
    this.#isComplete = isLast && !this.#hasMissed;
    if (this.#queue.length === 0) this.#cursor = Math.max(this.#cursor, this.#readTo); // nobody wants those
  }

  /** Counts on, one page. */
  countOn(): Answer<void> {
    const epoch = this.#epoch;
    const from = Math.max(this.#countedTo, this.#cursor);
    const { outbox, appId, lane } = this.#parts;
    return after(outbox.read({ appId, lane, after: from, limit: COUNTED_PAGE }), (entries) => {
      if (epoch === this.#epoch) this.#countPage(entries, entries.length < COUNTED_PAGE);
    });
  }

  #countPage(entries: readonly OutboxEntry[], isLast: boolean): void {
    for (const entry of entries) {
      const isNew =
        entry.version > Math.max(this.#countedTo, this.#cursor) && entry.version <= this.#countedFrom;
      if (isNew && this.#parts.wants(entry)) this.#count++;
    }
    this.#countedTo = isLast
      ? this.#countedFrom
      : Math.min(this.#countedFrom, Math.max(this.#countedTo, entries.at(-1)?.version ?? 0));
  }

  /** Everything up to a version is done with. `wanted` are the versions that the endpoint wanted of that. */
  doneTo(version: number, wanted: readonly number[]): void {
    for (const done of wanted) if (done <= this.#countedTo || done > this.#countedFrom) this.#count--;
    this.#cursor = Math.max(this.#cursor, version);
    let gone = 0;
    while (gone < this.#queue.length && (this.#queue[gone]?.version ?? 0) <= this.#cursor) gone++;
    this.#queue.splice(0, gone);
  }

  /** The oldest entries that are not done with, wanted or not: at most so many, and no more where there are fewer. */
  oldest(limit: number): Answer<readonly OutboxEntry[]> {
    const { outbox, appId, lane } = this.#parts;
    return outbox.read({ appId, lane, after: this.#cursor, limit });
  }

  /** Where nothing waits, everything that is committed is done with: the outbox need not keep it for this lane. */
  settle(head: number): void {
    if (!this.#isComplete || this.#queue.length > 0) return;
    this.#cursor = Math.max(this.#cursor, this.#readTo, head);
    this.#readTo = this.#cursor;
  }

  /** Other events are wanted from now on. */
  reset(head: number): void {
    this.#epoch++;
    this.#filling = undefined;
    this.#queue = [];
    this.#isComplete = false;
    this.#readTo = this.#cursor;
    this.#readToMs = undefined;
    this.#count = 0;
    this.#countedTo = this.#cursor;
    this.#countedFrom = head;
  }
}
