import type { Snapshot } from "./change.ts";
import type { Feed } from "./feed.ts";
import { GateError } from "./gate-error.ts";
import type { Position } from "./position.ts";
import type { Proof } from "./store.ts";

export interface WebhookFeedParts {
  readonly maxBehindMs: number;
  readSnapshot(signal: AbortSignal): Promise<Snapshot>;
  applySnapshot(snapshot: Snapshot): Promise<void>;
  askPosition(): Promise<Position>;
}

/** The webhooks bring the changes; the server says how old the oldest is that has not arrived. */
export class WebhookFeed implements Feed {
  readonly #parts: WebhookFeedParts;
  #reading = new AbortController();

  constructor(parts: WebhookFeedParts) {
    this.#parts = parts;
  }

  async repair(): Promise<void> {
    await this.prove(); // A feed that is behind anyway is not worth a snapshot each second.
    await this.refresh();
  }

  async refresh(): Promise<void> {
    await this.#parts.applySnapshot(await this.#parts.readSnapshot(this.#reading.signal));
  }

  async prove(): Promise<Proof> {
    const { askedMs, serverOffsetMs, undeliveredMs } = await this.#parts.askPosition();
    const { maxBehindMs } = this.#parts;
    if (undeliveredMs < maxBehindMs) return { askedMs, serverOffsetMs };
    throw new GateError(
      "feed_behind",
      `a webhook has not arrived for ${Math.round(undeliveredMs)} ms, and ${maxBehindMs} ms are the most; ` +
        "until it has, everything is sent: see what the endpoint answers in its delivery log",
    );
  }

  /** Webhooks come by themselves, to whoever receives them. */
  stop(): void {
    this.#reading.abort();
    this.#reading = new AbortController();
  }
}
