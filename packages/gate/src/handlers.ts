import type { Change } from "./change.ts";
import { GateError, reasonOf } from "./gate-error.ts";
import { type Time, within } from "./time.ts";

/** What a back-end wants to do when a channel has its first watcher. */
export type OccupiedHandler = (channel: string, change: Change) => unknown;

/** The functions given to `onOccupied`. */
export class Handlers {
  readonly #handlers = new Set<OccupiedHandler>();
  readonly #time: Time;
  readonly #limitMs: number;
  readonly #onError: (error: GateError) => void;

  constructor(time: Time, limitMs: number, onError: (error: GateError) => void) {
    this.#time = time;
    this.#limitMs = limitMs;
    this.#onError = onError;
  }

  get isEmpty(): boolean {
    return this.#handlers.size === 0;
  }

  /** Returns the way out. */
  add(handler: OccupiedHandler): () => void {
    this.#handlers.add(handler);
    return () => {
      this.#handlers.delete(handler);
    };
  }

  /** Calls all of them and waits for them, but for none longer than the limit. Never rejects. */
  async call(change: Change): Promise<void> {
    await Promise.all([...this.#handlers].map((handler) => this.#callOne(handler, change)));
  }

  async #callOne(handler: OccupiedHandler, change: Change): Promise<void> {
    try {
      const called = Promise.resolve(handler(change.channel, change));
      await within(this.#time, this.#limitMs, called, () => {
        throw new Error(`it has not ended after ${this.#limitMs} ms, and new messages wait for it`);
      });
    } catch (error) {
      const why = `the function given to onOccupied failed for ${change.channel}: ${reasonOf(error)}`;
      this.#onError(new GateError("handler_failed", why, error));
    }
  }
}
