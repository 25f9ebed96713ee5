import { type Clock, type LastEvent, type LastEvents, topicOf } from "#core/ports";

interface Remembered {
  readonly name: string;
  readonly data: string;
  readonly untilMs: number;
}

/** The last events of one process, in memory, the oldest given up when there are too many. */
export class LocalLastEvents implements LastEvents {
  /** In order of their publishing. */
  readonly #events = new Map<string, Remembered>();
  readonly #clock: Clock;
  readonly #maxEvents: number;

  constructor(parts: { clock: Clock; maxEvents: number }) {
    this.#clock = parts.clock;
    this.#maxEvents = parts.maxEvents;
  }

  remember(appId: string, channel: string, event: { name: string; data: string }, ttlSeconds: number): void {
    const key = topicOf(appId, channel);
    this.#events.delete(key);
    const untilMs = this.#clock.monotonicMs() + ttlSeconds * 1_000;
    this.#events.set(key, { name: event.name, data: event.data, untilMs });
    if (this.#events.size > this.#maxEvents) this.#forgetOldest();
  }

  recall(appId: string, channel: string): LastEvent | undefined {
    const key = topicOf(appId, channel);
    const found = this.#events.get(key);
    if (found === undefined) return undefined;
    const leftMs = found.untilMs - this.#clock.monotonicMs();
    if (leftMs > 0) return { name: found.name, data: found.data, ttlSeconds: Math.ceil(leftMs / 1_000) };
    this.#events.delete(key);
    return undefined;
  }

  /** To be called now and then: gives back the memory of what has expired. */
  sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, event] of this.#events) if (event.untilMs <= nowMs) this.#events.delete(key);
  }

  #forgetOldest(): void {
    const oldest = this.#events.keys().next();
    if (!oldest.done) this.#events.delete(oldest.value);
  }
}
