import type { AttemptRow } from "./attempt-table.ts";
import type { DeliveryTables } from "./delivery-tables.ts";

export interface AttemptBounds {
  /** What may wait to be written. */
  readonly unwritten: number;
  readonly unwrittenBytes: number;
  /** What the log keeps of one endpoint. */
  readonly kept: number;
  readonly keptBytes: number;
  readonly keptMs: number;
  /** More than needed go at once, so that it is not done for each row. */
  readonly forgottenAtOnce: number;
}

const MB = 1_048_576;

export const ATTEMPT_BOUNDS: AttemptBounds = {
  unwritten: 5_000, // ours
  unwrittenBytes: 32 * MB, // ours
  kept: 10_000, // ours
  keptBytes: 256 * MB, // ours
  keptMs: 7 * 86_400_000, // ours: 7 days
  forgottenAtOnce: 100, // ours: about a millisecond
};

interface Sum {
  readonly count: number;
  readonly bytes: number;
}

/** Attempts on their way into the log, and how much of each endpoint is in it. Both are bounded. */
export class AttemptBuffer {
  readonly #bounds: AttemptBounds;
  #waiting: { readonly endpoint: number; readonly row: AttemptRow }[] = [];
  #waitingBytes = 0;
  #kept: Map<number, Sum>;
  /** The sums as they will be when the transaction under way succeeds. */
  #staged: Map<number, Sum> | undefined;
  #dropped = 0;

  constructor(
    sums: readonly { readonly endpoint: number; readonly count: number; readonly bytes: number }[],
    bounds = ATTEMPT_BOUNDS,
  ) {
    this.#bounds = bounds;
    this.#kept = new Map(sums.map(({ endpoint, count, bytes }) => [endpoint, { count, bytes }]));
  }

  add(endpoint: number, row: AttemptRow): void {
    this.#waiting.push({ endpoint, row });
    this.#waitingBytes += row.request.length;
    while (this.#waiting.length > 1 && this.#isTooMuch()) {
      this.#waitingBytes -= this.#waiting.shift()?.row.request.length ?? 0;
      this.#dropped++;
    }
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Attempts that waited for too long and are not in the log. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Inside a transaction: if that fails, it is as if this had not been called. */
  write(tables: DeliveryTables): void {
    this.#staged = new Map(this.#kept);
    for (const { endpoint, row } of this.#waiting)
      this.#count(endpoint, 1, tables.attempts.add(endpoint, row));
    for (const endpoint of new Set(this.#waiting.map((attempt) => attempt.endpoint))) {
      while (this.#isFull(endpoint)) {
        const gone = tables.attempts.deleteOldest(endpoint, this.#bounds.forgottenAtOnce);
        for (const { size } of gone) this.#count(endpoint, -1, -size);
        if (gone.length === 0) break;
      }
    }
  }

  /** Inside a transaction, after `write`. Whether there was anything that is too old. */
  forgetOld(tables: DeliveryTables, wallMs: number): boolean {
    const gone = tables.attempts.deleteBefore(wallMs - this.#bounds.keptMs, this.#bounds.forgottenAtOnce);
    for (const { endpoint, size } of gone) this.#count(endpoint, -1, -size);
    return gone.length > 0;
  }

  /** The transaction has succeeded. */
  written(): void {
    if (this.#staged !== undefined) this.#kept = this.#staged;
    this.#staged = undefined;
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #count(endpoint: number, count: number, bytes: number): void {
    const before = this.#staged?.get(endpoint) ?? { count: 0, bytes: 0 };
    const after = { count: before.count + count, bytes: before.bytes + bytes };
    if (after.count > 0) this.#staged?.set(endpoint, after);
    else this.#staged?.delete(endpoint);
  }

  #isFull(endpoint: number): boolean {
    const { count, bytes } = this.#staged?.get(endpoint) ?? { count: 0, bytes: 0 };
    return count > this.#bounds.kept || bytes > this.#bounds.keptBytes;
  }

  #isTooMuch(): boolean {
    return this.#waiting.length > this.#bounds.unwritten || this.#waitingBytes > this.#bounds.unwrittenBytes;
  }
}
