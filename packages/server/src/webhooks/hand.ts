import type { Clock } from "#core/ports";
import { type Batch, newBatch, nextAlone } from "./batch.ts";
import { type BatchRecord, parseBatchRecord, recordOf, restoreBatch } from "./batch-record.ts";
import type { Supplied } from "./supply.ts";

export interface HandParts {
  readonly clock: Clock;
  readonly newDeliveryId: () => string;
  /** A process that was down counts as one pause at most. */
  readonly longestPauseMs: number;
  /** As it was written down by the process before. */
  readonly written: string | undefined;
}

/** The batch that a lane is busy with: what goes next whatever else there is, also after a restart. */
export class Hand {
  readonly #parts: HandParts;
  #batch: Batch | undefined;
  /** What was in hand when the process before ended, until its events are found again. */
  #record: BatchRecord | undefined;

  constructor(parts: HandParts) {
    this.#parts = parts;
    this.#record = parts.written === undefined ? undefined : parseBatchRecord(parts.written);
  }

  /** What is to be sent next. */
  get batch(): Batch | undefined {
    return this.#batch;
  }

  /** Of the batch that was in hand when the process before ended. */
  get recordedAttempts(): number {
    return this.#record?.attempts ?? 0;
  }

  /** How many events must be known to find that batch again. */
  get recordedEvents(): number {
    return (this.#record?.versions.length ?? 0) + (this.#record?.alone.length ?? 0);
  }

  keep(batch: Batch): void {
    this.#batch = batch;
  }

  /** Out of the hand and on its way. */
  release(): void {
    this.#batch = undefined;
  }

  /** It is made anew, if at all. */
  letGo(): void {
    this.#batch = undefined;
    this.#record = undefined;
  }

  /** The batch that was in hand before, or a new one of so many events at most. */
  take({ source, items }: Supplied, mostEvents: number): Batch {
    const record = this.#record;
    if (record?.source === source) {
      this.#record = undefined;
      const { clock, longestPauseMs } = this.#parts;
      const now = { nowMs: clock.monotonicMs(), wallMs: clock.wallMs(), longestPauseMs };
      const restored = restoreBatch(record, items, now);
      if (restored !== undefined && restored.items.length <= mostEvents) return restored;
    }
    return newBatch(source, items.slice(0, mostEvents), this.#beginning());
  }

  /** One event of the batch is poisonous: each is to go alone. */
  takeApart(batch: Batch): void {
    this.#batch = nextAlone(batch.items, batch, this.#beginning());
  }

  /** The batch is done with. What was to go alone after it comes next. */
  goOn(batch: Batch): void {
    this.#batch = nextAlone(batch.alone, batch, this.#beginning());
  }

  /** To be written down: of what is under way, where something is, otherwise of what is in hand. */
  text(underWay: Batch | undefined): string | undefined {
    const { clock } = this.#parts;
    const batch = underWay ?? this.#batch;
    const record = batch === undefined ? this.#record : recordOf(batch, clock.monotonicMs(), clock.wallMs());
    return record === undefined ? undefined : JSON.stringify(record);
  }

  #beginning() {
    return { deliveryId: this.#parts.newDeliveryId(), timeMs: this.#parts.clock.wallMs() };
  }
}
