import type { FallbackTopics, LineSocket } from "./fallback-topics.ts";
import { ACKNOWLEDGEMENT, closingLine, HEARTBEAT, type Line, messageLine, OPENING } from "./line.ts";
import type { Receiver } from "./receiver.ts";

/** The session is gone for good when no receive request was there for so long. */
export const UNATTENDED_MS = 8_000; // ours: above the longest pause between two polls on a poor line
/** The client has read a full stream to its end and must have opened the next one by then. */
export const ROLL_OVER_MS = 5_000; // ours: above a few round trips
/** A receive request that nothing was written to for so long is told that we are there. */
export const HEARTBEAT_MS = 24_000; // ours: with a look each second, at most the 25 s that proxies and clients allow

export interface FallbackSocketParts {
  readonly topics: FallbackTopics;
  /** What may wait for the client. */
  readonly maxWaitingBytes: number;
  readonly nowMs: () => number;
  /** More is waiting than may wait; told once, in a turn of its own. */
  readonly overflowed: (bytes: number) => void;
  /** Told once, whoever closed it, and whether there is a goodbye to hand over. */
  readonly closed: (hasGoodbye: boolean) => void;
}

type Life =
  | { readonly state: "open" }
  /** What was said before the goodbye is still handed over, then the goodbye, to as many requests as may come. */
  | { readonly state: "closed"; readonly goodbye: Line | undefined };

/**
 * What a session says, on its way over one receive request after another. Lines wait here in their order while no
 * request is open, while its reader is slow, and between a full stream and the next.
 */
export class FallbackSocket implements LineSocket {
  readonly #parts: FallbackSocketParts;
  #life: Life = { state: "open" };
  #receiver: Receiver | undefined;
  #waiting: Line[] = [OPENING];
  #waitingBytes = OPENING.bytes.byteLength;
  #owesAcknowledgement = false;
  #hasOverflowed = false;
  #isPumping = false;
  /** When the last receive request ended, or the stream that is open was last seen to be still under way. */
  #unattendedSinceMs: number;
  #wroteMs: number;

  constructor(parts: FallbackSocketParts) {
    this.#parts = parts;
    this.#unattendedSinceMs = parts.nowMs();
    this.#wroteMs = this.#unattendedSinceMs;
  }

  get isOpen(): boolean {
    return this.#life.state === "open";
  }

  /** Bytes that wait for the client, those aside that the runtime has taken. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** From now on this request is written to, and no other. */
  attach(receiver: Receiver): void {
    const before = this.#receiver;
    this.#receiver = receiver;
    before?.end();
    this.#wroteMs = this.#parts.nowMs();
    this.#pump();
  }

  /** To be called when a receive request has ended; one that was replaced says nothing about the session. */
  detach(receiver: Receiver): void {
    if (this.#receiver !== receiver) return;
    this.#receiver = undefined;
    this.#unattendedSinceMs = this.#parts.nowMs();
  }

  /** There is room again. */
  drained(receiver: Receiver): void {
    if (this.#receiver === receiver) this.#pump();
  }

  send(frame: string): void {
    this.deliver(messageLine(frame));
  }

  deliver(line: Line): void {
    if (!this.isOpen || this.#hasOverflowed) return;
    const bytes = this.#waitingBytes + line.bytes.byteLength;
    if (bytes > this.#parts.maxWaitingBytes) {
      this.#overflow(bytes);
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes = bytes;
    this.#pump();
  }

  /** The client gave a sign of life and expects one. */
  acknowledge(): void {
    if (!this.isOpen) return;
    this.#owesAcknowledgement = true;
    this.#pump();
  }

  subscribe(topic: string): void {
    if (this.isOpen) this.#parts.topics.subscribe(topic, this);
  }

  unsubscribe(topic: string): void {
    this.#parts.topics.unsubscribe(topic, this);
  }

  ping(): void {
    if (this.isOpen && this.#receiver?.hasRoom) this.#write(this.#receiver, HEARTBEAT);
  }

  close(code: number, reason: string): void {
    this.#end(closingLine(code, reason));
    this.#pump();
  }

  terminate(): void {
    this.#end(undefined);
    this.forget();
  }

  /** Nothing is handed over any more. */
  forget(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#receiver?.end();
  }

  /** To be called about once a second. Returns false where the client has gone without a word. */
  checkAttendance(): boolean {
    const nowMs = this.#parts.nowMs();
    const receiver = this.#receiver;
    if (receiver === undefined) return nowMs - this.#unattendedSinceMs < UNATTENDED_MS;
    if (receiver.isFull) {
      if (!receiver.isDrained) this.#wroteMs = nowMs;
      return nowMs - this.#wroteMs < ROLL_OVER_MS;
    }
    if (nowMs - this.#wroteMs >= HEARTBEAT_MS) this.ping();
    return true;
  }

  #pump(): void {
    const receiver = this.#receiver;
    if (receiver === undefined || this.#isPumping) return;
    this.#isPumping = true; // a stream may say that there is room while it is being written to
    try {
      this.#handOver(receiver);
    } finally {
      this.#isPumping = false;
    }
  }

  #handOver(receiver: Receiver): void {
    let taken = 0;
    for (const line of this.#waiting) {
      if (!receiver.hasRoom) break;
      this.#write(receiver, line);
      this.#waitingBytes -= line.bytes.byteLength;
      taken++;
    }
    if (taken === this.#waiting.length) this.#waiting = [];
    else if (taken > 0) this.#waiting.splice(0, taken);
    if (this.#waiting.length > 0 || !receiver.hasRoom) return;
    if (this.#life.state === "closed") {
      if (this.#life.goodbye !== undefined) this.#write(receiver, this.#life.goodbye);
      receiver.end();
      return;
    }
    // Anything that was said would do.
    if (this.#owesAcknowledgement) this.#write(receiver, ACKNOWLEDGEMENT);
  }

  #write(receiver: Receiver, line: Line): void {
    this.#owesAcknowledgement = false;
    this.#wroteMs = this.#parts.nowMs();
    receiver.write(line);
  }

  #end(goodbye: Line | undefined): void {
    if (!this.isOpen) return;
    this.#life = { state: "closed", goodbye };
    this.#parts.closed(goodbye !== undefined);
  }

  /** In a turn of its own: an end in the middle of a publish would be told before what is being published. */
  #overflow(bytes: number): void {
    this.#hasOverflowed = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    queueMicrotask(() => {
      this.#hasOverflowed = false;
      this.#parts.overflowed(bytes);
    });
  }
}
