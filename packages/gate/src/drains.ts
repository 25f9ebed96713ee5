import { backoffMs } from "./backoff.ts";
import type { Change } from "./change.ts";
import { GateError, reasonOf } from "./gate-error.ts";
import { readMessage } from "./message.ts";
import { isRefusal, type Publisher } from "./publisher.ts";
import type { Next, Store } from "./store.ts";
import { pause, type Time, within } from "./time.ts";

const AT_ONCE = 16; // ours: channels that drain at the same time in one process
const GIVE_UP_MS = 60_000; // ours: a message that could not be sent for a minute does not hold up those behind it

export interface DrainsParts {
  readonly store: Store;
  readonly publisher: Publisher;
  readonly time: Time;
  readonly leaseMs: number;
  /** Tells the back-end that the channel has watchers now. Never rejects. */
  announce(change: Change): Promise<void>;
  /** A message that waited has left: `wasKept` if it had been suppressed first. */
  onSettled(wasKept: boolean, isSent: boolean): void;
  onError(error: GateError): void;
}

type Entry = Exclude<Next, { kind: "over" | "lost" }>;

/** Sends what waits in channels, in order, one message of a channel at a time. */
export class Drains {
  readonly #parts: DrainsParts;
  readonly #running = new Map<string, Promise<void>>();
  readonly #queued = new Set<string>();
  #isClosed = false;

  constructor(parts: DrainsParts) {
    this.#parts = parts;
  }

  start(channels: readonly string[]): void {
    for (const channel of channels) this.#queued.add(channel);
    this.#fill();
  }

  /** Resolves when nothing drains here any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  /** Begins nothing more. What is being sent is finished; the rest is given back. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#queued.clear();
    await this.idle();
  }

  #fill(): void {
    for (const channel of this.#queued) {
      if (this.#isClosed || this.#running.size >= AT_ONCE) return;
      if (this.#running.has(channel)) continue; // It looks again when it has ended.
      this.#queued.delete(channel);
      const run = this.#drain(channel)
        .catch((error: unknown) => {
          // Its lease runs out, and whoever looks in then takes it over.
          const why = `the drain of ${channel} stopped and will go on: ${reasonOf(error)}`;
          this.#parts.onError(new GateError("store_unavailable", why, error));
        })
        .finally(() => {
          this.#running.delete(channel);
          this.#fill();
        });
      this.#running.set(channel, run);
    }
  }

  async #drain(channel: string): Promise<void> {
    const { store } = this.#parts;
    let next = await store.next(channel);
    while (next.kind === "message" || next.kind === "occupied") {
      const isSent = await this.#settle(channel, next);
      if (isSent === undefined) break;
      const entry = next;
      next = await store.next(channel, { id: entry.id, isSent });
      if (entry.kind === "message") this.#parts.onSettled(entry.wasKept, isSent);
      if (this.#isClosed) break;
    }
    if (this.#isClosed) await store.release(channel);
  }

  /** Whether it was sent; undefined where somebody else is to send it. */
  async #settle(channel: string, entry: Entry): Promise<boolean | undefined> {
    const lease = this.#holdLease(channel);
    try {
      if (entry.kind === "message") return await this.#publish(channel, entry.text, () => lease.isLost);
      await this.#parts.announce(entry.change);
      return lease.isLost ? undefined : true;
    } finally {
      lease.letGo();
    }
  }

  async #publish(channel: string, text: string, isLost: () => boolean): Promise<boolean | undefined> {
    const { publisher, time, leaseMs, onError } = this.#parts;
    const { name, data, params } = readMessage(text);
    const startMs = time.monotonicMs();
    for (let failures = 0; ; failures++) {
      try {
        const sent = publisher.trigger(channel, name, data, params);
        await within(time, leaseMs, sent, () => {
          throw Object.assign(new Error(`no answer within ${leaseMs} ms`), { url: "" }); // as a RequestError: to be repeated
        });
        return true;
      } catch (error) {
        if (isLost() || this.#isClosed) return undefined;
        if (isRefusal(error) || time.monotonicMs() - startMs > GIVE_UP_MS) {
          const why = `a message '${name}' that waited for ${channel} is given up: ${reasonOf(error)}`;
          onError(new GateError("message_dropped", why, error));
          return false;
        }
        await pause(time, backoffMs(failures));
        if (isLost()) return undefined;
      }
    }
  }

  /** Says again and again that this worker drains the channel, for as long as one message takes. */
  #holdLease(channel: string): { readonly isLost: boolean; letGo(): void } {
    const { store, time, leaseMs } = this.#parts;
    let isLost = false;
    let isOver = false;
    let cancel: () => void = () => undefined;
    const renewLater = () => {
      cancel = time.after(leaseMs / 3, () => {
        store.next(channel).then(
          (next) => {
            isLost = next.kind === "lost" || next.kind === "over";
            if (!isOver && !isLost) renewLater();
          },
          () => {
            if (!isOver) renewLater(); // The store is away: what waits in it can be taken over by nobody.
          },
        );
      });
    };
    renewLater();
    return {
      get isLost() {
        return isLost;
      },
      letGo() {
        isOver = true;
        cancel();
      },
    };
  }
}
