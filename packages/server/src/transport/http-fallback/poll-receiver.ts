import { openAnswer } from "./answers.ts";
import type { Line } from "./line.ts";
import { type Patience, type Receiver, type ReceiverEvents, ROLL_OVER_CHARS } from "./receiver.ts";

/** A response that waits until there is something to say, and then says all that is said in the same turn. */
export class PollReceiver implements Receiver {
  readonly response: Promise<Response>;
  readonly #events: ReceiverEvents;
  readonly #patience: Patience;
  readonly #answer: (response: Response) => void;
  readonly #lines: Uint8Array<ArrayBuffer>[] = [];
  #chars = 0;
  #isOpen = true;

  /** @param gone says when the client has gone away */
  constructor(events: ReceiverEvents, patience: Patience, gone: AbortSignal) {
    this.#events = events;
    this.#patience = patience;
    const { promise, resolve } = Promise.withResolvers<Response>();
    this.response = promise;
    this.#answer = resolve;
    patience.endless();
    gone.addEventListener("abort", () => this.end());
  }

  get hasRoom(): boolean {
    return this.#isOpen && !this.isFull;
  }

  get isFull(): boolean {
    return this.#chars > ROLL_OVER_CHARS;
  }

  get isDrained(): boolean {
    return true;
  }

  write({ bytes, chars }: Line): void {
    if (this.#lines.length === 0) queueMicrotask(() => this.end());
    this.#lines.push(bytes);
    this.#chars += chars;
  }

  end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#patience.usual();
    this.#answer(openAnswer(new Blob(this.#lines)));
    this.#events.ended();
  }
}
