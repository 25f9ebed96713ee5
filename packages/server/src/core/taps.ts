import type { Clock } from "./ports.ts";

/** One published event, as somebody who looks on sees it. */
export interface TappedEvent {
  readonly channel: string;
  readonly event: string;
  readonly data: string;
  readonly receivedMs: number;
}

interface Tap {
  /** Empty means all channels. */
  readonly channels: ReadonlySet<string>;
  readonly show: (event: TappedEvent) => void;
}

/** Onlookers: they see what is published and are no subscribers, so looking never makes a channel occupied. */
export class Taps {
  readonly #byApp = new Map<string, Set<Tap>>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns the way out. */
  open(appId: string, channels: readonly string[], show: (event: TappedEvent) => void): () => void {
    const tap: Tap = { channels: new Set(channels), show };
    const taps = this.#byApp.get(appId) ?? new Set<Tap>();
    this.#byApp.set(appId, taps.add(tap));
    return () => {
      taps.delete(tap);
      if (taps.size === 0 && this.#byApp.get(appId) === taps) this.#byApp.delete(appId);
    };
  }

  show(appId: string, channel: string, event: string, data: string): void {
    if (this.#byApp.size === 0) return;
    const taps = this.#byApp.get(appId);
    if (taps === undefined) return;
    const tapped = { channel, event, data, receivedMs: this.#clock.wallMs() };
    for (const tap of taps) if (tap.channels.size === 0 || tap.channels.has(channel)) tap.show(tapped);
  }
}
