import { Finding, shown } from "./finding.ts";
import type { Frame, Match } from "./frame.ts";

interface Waiter {
  readonly matches: (frame: Frame) => boolean;
  readonly resolve: (frame: Frame) => void;
  readonly reject: (why: Finding) => void;
}

/** What has arrived on one connection, and those who wait for more. A frame is handed out by `next` once. */
export class Inbox {
  readonly frames: Frame[] = [];
  readonly #taken = new Set<Frame>();
  readonly #waiters = new Set<Waiter>();
  #end: string | undefined;

  put(frame: Frame): void {
    this.frames.push(frame);
    for (const waiter of this.#waiters) {
      if (!waiter.matches(frame)) continue;
      this.#waiters.delete(waiter);
      this.#taken.add(frame);
      waiter.resolve(frame);
      return;
    }
  }

  /** Nothing more will come. */
  end(why: string): void {
    this.#end ??= why;
    for (const { reject } of this.#waiters) reject(new Finding(this.#end));
    this.#waiters.clear();
  }

  /**
   * The first frame that matches, from position `from` on, and was not handed out before; waits for it if need be. Nobody
   * has to be waiting for the promise when it fails.
   */
  next(match: Match, what: string, timeoutMs: number, from = 0): Promise<Frame> {
    const matches = typeof match === "string" ? (frame: Frame) => frame.event === match : match;
    const there = this.frames.slice(from).find((frame) => !this.#taken.has(frame) && matches(frame));
    const { promise, resolve, reject } = Promise.withResolvers<Frame>();
    promise.catch(() => undefined); // a check that has failed elsewhere no longer waits
    if (there !== undefined) {
      this.#taken.add(there);
      resolve(there);
    } else if (this.#end !== undefined) {
      reject(new Finding(`${this.#end}, ${what} was awaited`));
    } else {
      const waiter = { matches, resolve, reject };
      this.#waiters.add(waiter);
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(new Finding(`${what} did not come within ${timeoutMs / 1_000} s; ${this.#last(from)}`));
      }, timeoutMs);
      const stop = () => clearTimeout(timer);
      promise.then(stop, stop);
    }
    return promise;
  }

  #last(from: number): string {
    const last = this.frames.slice(from).at(-1);
    return last === undefined ? "nothing came" : `last came ${shown(last.raw)}`;
  }
}
