import type { App } from "./app.ts";
import { type Clock, type Outbox, topicOf } from "./ports.ts";
import { isWantedByAny } from "./webhook-filter.ts";

const WINDOW_MS = 1_000; // ours: the service says "at about the same time"
const MAX_CHANNELS = 10_000; // ours: beyond it the oldest window ends early, and a channel may be told of twice

/** Tells webhooks that subscribers found an empty cache: once for all who find it within a window. */
export class CacheMisses {
  /** When the windows end, in order of their beginning; all are equally long. */
  readonly #endsMs = new Map<string, number>();
  readonly #outbox: Pick<Outbox, "append">;
  readonly #clock: Clock;

  constructor(parts: { outbox: Pick<Outbox, "append">; clock: Clock }) {
    this.#outbox = parts.outbox;
    this.#clock = parts.clock;
  }

  found(app: App, channel: string): void {
    if (!isWantedByAny(app, "cache_miss", channel)) return;
    const nowMs = this.#clock.monotonicMs();
    for (const [topic, endMs] of this.#endsMs) {
      if (endMs > nowMs && this.#endsMs.size < MAX_CHANNELS) break;
      this.#endsMs.delete(topic);
    }
    const topic = topicOf(app.id, channel);
    if (this.#endsMs.has(topic)) return;
    this.#endsMs.set(topic, nowMs + WINDOW_MS);
    this.#outbox.append(app.id, { name: "cache_miss", channel });
  }
}
