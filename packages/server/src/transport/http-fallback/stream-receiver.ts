import { openAnswer } from "./answers.ts";
import { type Line, PRELUDE } from "./line.ts";
import { type Patience, type Receiver, type ReceiverEvents, ROLL_OVER_CHARS } from "./receiver.ts";

const WINDOW_BYTES = 65_536; // ours: what the runtime may hold of one stream; the rest waits in the session's queue

/** A response that stays open. */
export class StreamReceiver implements Receiver {
  readonly response: Response;
  readonly #events: ReceiverEvents;
  readonly #patience: Patience;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #chars = 0;

  constructor(events: ReceiverEvents, patience: Patience) {
    this.#events = events;
    this.#patience = patience;
    patience.endless();
    const stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => events.drained(),
        cancel: () => this.#gone(),
      },
      { highWaterMark: WINDOW_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
    );
    this.write(PRELUDE);
    this.response = openAnswer(stream);
  }

  get hasRoom(): boolean {
    return !this.isFull && (this.#controller?.desiredSize ?? 0) > 0;
  }

  get isFull(): boolean {
    return this.#chars > ROLL_OVER_CHARS;
  }

  get isDrained(): boolean {
    return this.#controller?.desiredSize === WINDOW_BYTES;
  }

  write({ bytes, chars }: Line): void {
    this.#chars += chars;
    this.#controller?.enqueue(bytes);
  }

  end(): void {
    const controller = this.#controller;
    if (controller === undefined) return;
    this.#gone();
    this.#patience.usual();
    controller.close();
  }

  #gone(): void {
    if (this.#controller === undefined) return;
    this.#controller = undefined;
    this.#events.ended();
  }
}
