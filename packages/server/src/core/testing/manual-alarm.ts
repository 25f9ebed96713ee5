import type { ManualClock } from "./manual-clock.ts";

interface Waiting {
  readonly atMs: number;
  readonly act: () => void;
}

/** Alarms of a time that a test moves. */
export class ManualAlarm {
  readonly #clock: ManualClock;
  readonly #waiting = new Set<Waiting>();

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  /** Returns the way out. */
  readonly later = (ms: number, act: () => void): (() => void) => {
    const waiting = { atMs: this.#clock.monotonicMs() + ms, act };
    this.#waiting.add(waiting);
    return () => this.#waiting.delete(waiting);
  };

  /** How many alarms are still to go off. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Lets time pass, and each alarm go off at its moment. */
  advance(ms: number): void {
    const endMs = this.#clock.monotonicMs() + ms;
    for (;;) {
      const [next] = [...this.#waiting].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > endMs) break;
      this.#waiting.delete(next);
      this.#clock.advance(Math.max(0, next.atMs - this.#clock.monotonicMs()));
      next.act();
    }
    this.#clock.advance(Math.max(0, endMs - this.#clock.monotonicMs()));
  }
}
