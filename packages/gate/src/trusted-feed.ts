import type { Snapshot } from "./change.ts";
import type { Feed } from "./feed.ts";
import { GateError } from "./gate-error.ts";
import type { Publisher } from "./publisher.ts";
import type { Proof } from "./store.ts";
import type { Time } from "./time.ts";

const REMEMBER_MS = 600_000; // ours: twice as long as the hosted service tries to deliver a webhook

/** Services without versions of their own: the time of a webhook in microseconds, which leaves room for a batch. */
export function versionAt(unixMs: number, index: number): number {
  return unixMs * 1_000 + Math.min(index, 999);
}

export interface TrustedFeedParts {
  readonly publisher: Publisher;
  readonly time: Time;
  readonly prefix: string;
  /** Adds what is occupied, and removes nothing. */
  addOccupied(snapshot: Snapshot): Promise<void>;
  /** Forgets what is older. */
  raiseFloor(version: number): Promise<void>;
}

/**
 * A service that tells neither a position nor what it has announced, such as the hosted one: what its webhooks said last
 * is believed. At the start the channels that are occupied are added. Others are not removed: a channel that is empty for
 * a moment would be missed when it fills again, since no webhook tells of that.
 */
export class TrustedFeed implements Feed {
  readonly #parts: TrustedFeedParts;

  constructor(parts: TrustedFeedParts) {
    this.#parts = parts;
  }

  repair(): Promise<void> {
    return this.refresh();
  }

  async refresh(): Promise<void> {
    const { publisher, time, prefix } = this.#parts;
    const askedMs = time.wallMs();
    const answer = await publisher.get({
      path: "/channels",
      params: prefix === "" ? {} : { filter_by_prefix: prefix },
    });
    const version = versionAt(askedMs, 0);
    const occupied = channelsIn(await answer.json()).map((channel) => ({
      channel,
      isOccupied: true,
      version,
      occurredMs: askedMs,
      isFromSnapshot: true as const,
    }));
    await this.#parts.addOccupied({ position: version, occupied });
    await this.#parts.raiseFloor(versionAt(askedMs - REMEMBER_MS, 0));
  }

  async prove(): Promise<Proof> {
    return { askedMs: this.#parts.time.monotonicMs(), serverOffsetMs: undefined };
  }

  stop(): void {
    // Nothing is open.
  }
}

function channelsIn(answer: unknown): string[] {
  const channels: unknown =
    typeof answer === "object" && answer !== null ? Reflect.get(answer, "channels") : undefined;
  if (typeof channels === "object" && channels !== null) return Object.keys(channels);
  throw new GateError("position_unavailable", "the service's list of channels has no channels");
}
