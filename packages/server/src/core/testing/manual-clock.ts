import type { Clock } from "#core/ports";

/** Time that stands still until a test moves it. */
export class ManualClock implements Clock {
  #monotonicMs = 5_000;
  #wallMs = 1_700_000_000_000;

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  wallMs(): number {
    return this.#wallMs;
  }

  advance(ms: number): void {
    this.#monotonicMs += ms;
    this.#wallMs += ms;
  }

  /** The wall clock is set, forward or back. No time passes. */
  jump(ms: number): void {
    this.#wallMs += ms;
  }
}
