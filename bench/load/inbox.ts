import { TEXT } from "./frame.ts";
import { FrameCounter } from "./frame-counter.ts";
import { FrameReader } from "./frame-reader.ts";
import type { Histogram } from "./histogram.ts";
import { eventData, sequenceAt, sequenceOffset } from "./sequence.ts";
import type { Inbox, Subscriber } from "./subscriber.ts";
import { EVENT } from "./trigger-request.ts";

/** What all inboxes of a crowd have received together. */
export interface Tally {
  delivered: number;
  lastAtMs: number;
  /** Frames of the sample that were not byte for byte what was published, or came twice. */
  wrong: number;
}

/** What an inbox needs of the subscriber that it belongs to. */
type Recipient = Pick<Subscriber, "channel" | "control">;

/** Counts and reads nothing. */
export class CountingInbox implements Inbox {
  readonly #frames: FrameCounter;
  readonly #tally: Tally;

  constructor(subscriber: Recipient, tally: Tally) {
    this.#frames = new FrameCounter((opcode) => subscriber.control(opcode));
    this.#tally = tally;
  }

  receive(chunk: Uint8Array): void {
    const frames = this.#frames.receive(chunk);
    if (frames === 0) return;
    this.#tally.delivered += frames;
    this.#tally.lastAtMs = performance.now();
  }
}

/** Reads every frame whole and compares it with what was published: the sample that shows that the others count the right thing. */
export class CheckingInbox implements Inbox {
  readonly #frames: FrameReader;
  readonly #seen = new Set<number>();

  constructor(subscriber: Recipient, tally: Tally) {
    const utf8 = new TextDecoder();
    this.#frames = new FrameReader((opcode, bytes, start, end) => {
      if (opcode !== TEXT) {
        subscriber.control(opcode);
        return;
      }
      tally.delivered++;
      tally.lastAtMs = performance.now();
      if (!this.#isNewEvent(utf8.decode(bytes.subarray(start, end)), subscriber.channel)) tally.wrong++;
    });
  }

  receive(chunk: Uint8Array): void {
    this.#frames.receive(chunk);
  }

  #isNewEvent(text: string, channel: string): boolean {
    const message = JSON.parse(text) as { event?: unknown; channel?: unknown; data?: unknown };
    const data = String(message.data);
    const sequence = Number(/"seq":"(\d+)"/.exec(data)?.[1]);
    const isNew = !this.#seen.has(sequence);
    this.#seen.add(sequence);
    return (
      isNew &&
      message.event === EVENT &&
      message.channel === channel &&
      data === eventData(sequence, data.length)
    );
  }
}

/** Notes for each frame how long it was under way. */
export class LatencyInbox implements Inbox {
  readonly #frames: FrameReader;
  #offset = -1;
  #nowMs = 0;

  /** `sentAtMs` holds for each number when its request was written, in `performance.now()` of this process. */
  constructor(subscriber: Recipient, tally: Tally, sentAtMs: Float64Array, latencies: () => Histogram) {
    this.#frames = new FrameReader((opcode, bytes, start, end) => {
      if (opcode !== TEXT) {
        subscriber.control(opcode);
        return;
      }
      if (this.#offset < 0) this.#offset = sequenceOffset(bytes, start, end);
      if (this.#offset < 0) return; // not one of our events
      tally.delivered++;
      tally.lastAtMs = this.#nowMs;
      const sentMs = sentAtMs[sequenceAt(bytes, start + this.#offset)];
      if (sentMs === undefined || sentMs === 0) tally.wrong++;
      else latencies().add(this.#nowMs - sentMs);
    });
  }

  receive(chunk: Uint8Array): void {
    this.#nowMs = performance.now();
    this.#frames.receive(chunk);
  }
}
