import type { Counters } from "./counters.ts";
import { GateError } from "./gate-error.ts";
import { mustBeHeardLater, refusalOf, writeMessage } from "./message.ts";
import type { Publisher, TriggerParams } from "./publisher.ts";
import type { Store, Verdict } from "./store.ts";
import { pause, type Time } from "./time.ts";

const CROWDED = 64; // ours: messages behind a drain from which on a caller is slowed down to its pace
const LONGEST_PAUSE_MS = 1_000; // ours

export interface OutletParts {
  readonly store: Store;
  readonly publisher: Publisher;
  readonly time: Time;
  /** Channels whose name begins otherwise are not gated. */
  readonly prefix: string;
  isStoreAway(): boolean;
  storeFailed(error: unknown): void;
  onDrain(channels: readonly string[]): void;
  count(difference: Partial<Counters>): void;
}

/** What the store said of one channel; `ungated` where it was not asked. */
type Outcome = { readonly channel: string } & (Verdict | { readonly state: "ungated" });

/** Lets a call through, keeps it, or puts it behind others. */
export class Outlet {
  readonly #parts: OutletParts;

  constructor(parts: OutletParts) {
    this.#parts = parts;
  }

  /** @see Gate.trigger */
  async trigger(channels: string[], event: string, data: unknown, params?: TriggerParams): Promise<boolean> {
    const refusal = refusalOf(channels, event, params);
    if (refusal !== undefined) throw refusal;
    const text = writeMessage({ name: event, data, ...(params === undefined ? {} : { params }) });
    const outcomes = await Promise.all(channels.map((channel) => this.#offer(channel, text)));
    const direct = outcomes.filter(
      ({ state }) => state === "member" || state === "unknown" || state === "ungated",
    );
    const kept = outcomes.filter(({ state }) => state === "absent").length;
    this.#parts.count({ saved: kept });
    if (direct.length > 0) await this.#publish(direct, event, data, params);
    for (const outcome of outcomes) await this.#queue(outcome);
    return kept < outcomes.length;
  }

  async #offer(channel: string, text: string): Promise<Outcome> {
    const { store, prefix } = this.#parts;
    if (!channel.startsWith(prefix) || mustBeHeardLater(channel)) {
      store.count({ sent: 1 });
      return { channel, state: "ungated" };
    }
    if (!this.#parts.isStoreAway()) {
      try {
        return { channel, ...(await store.offer(channel, text)) };
      } catch (error) {
        this.#parts.storeFailed(error);
      }
    }
    store.count({ sent: 1, failedOpen: 1 });
    return { channel, state: "unknown" };
  }

  async #publish(direct: Outcome[], event: string, data: unknown, params?: TriggerParams): Promise<void> {
    const [first = "", ...others] = direct.map(({ channel }) => channel);
    const sent = direct.length;
    const failedOpen = direct.filter(({ state }) => state === "unknown").length;
    try {
      await this.#parts.publisher.trigger(
        others.length === 0 ? first : [first, ...others],
        event,
        data,
        params,
      );
    } catch (error) {
      this.#parts.store.count({ sent: -sent, failedOpen: -failedOpen }); // It had counted them before.
      throw error;
    }
    this.#parts.count({ sent, failedOpen });
  }

  /** Sees to what waits behind others. */
  async #queue(outcome: Outcome): Promise<void> {
    if (outcome.state === "full") {
      throw new GateError(
        "queue_full",
        `${outcome.waiting} messages wait for ${outcome.channel}, and the gate holds no more: they cannot be sent as fast as they ` +
          "come, or the server does not take them; try again later, or raise maxChannelMessages and maxChannelBytes",
      );
    }
    if (outcome.state !== "draining") return;
    this.#parts.count(outcome.isUnknown ? { sent: 1, failedOpen: 1 } : { sent: 1 });
    if (outcome.isUnclaimed) this.#parts.onDrain([outcome.channel]);
    if (outcome.waiting > CROWDED) await pause(this.#parts.time, Math.min(outcome.waiting, LONGEST_PAUSE_MS));
  }
}
