import { hostname } from "node:os";
import type { Change, Snapshot } from "./change.ts";
import { complaints } from "./complaints.ts";
import { addCounts, type Counters, NO_COUNTS } from "./counters.ts";
import { Drains } from "./drains.ts";
import type { Feed } from "./feed.ts";
import type { GateError } from "./gate-error.ts";
import { Handlers, type OccupiedHandler } from "./handlers.ts";
import { memoryStore } from "./memory/memory-store.ts";
import { type NodeRequest, type NodeResponse, nodeReceiver } from "./node-receiver.ts";
import { occupancyStream } from "./occupancy-stream.ts";
import { checkOptions, type GateOptions } from "./options.ts";
import { Outlet } from "./outlet.ts";
import { askPosition } from "./position.ts";
import type { TriggerParams } from "./publisher.ts";
import { Receiver, type ReceiverOptions, requestReceiver } from "./receiver.ts";
import { type Settings, settingsFor } from "./settings.ts";
import { signedStream } from "./signed-stream.ts";
import { applySnapshot, readSnapshot } from "./snapshot.ts";
import type { Store } from "./store.ts";
import { StreamFeed } from "./stream-feed.ts";
import { systemTime, type Time, within } from "./time.ts";
import { TrustedFeed } from "./trusted-feed.ts";
import { Watch } from "./watch.ts";
import { WebhookFeed } from "./webhook-feed.ts";

const CLOSE_MS = 10_000; // ours: what is kept goes out at some hundred messages a second

/** @throws GateError where the options do not fit together */
export function createGate(options: GateOptions): Gate {
  return new Gate(options);
}

/** Stands before `pusher.trigger` and sends what somebody will hear. Made by `createGate`. */
export class Gate {
  readonly #options: GateOptions;
  readonly #time: Time;
  readonly #settings: Settings;
  readonly #store: Store;
  readonly #handlers: Handlers;
  readonly #drains: Drains;
  readonly #watch: Watch;
  readonly #outlet: Outlet;
  readonly #onError: (error: GateError) => void;
  #counters = NO_COUNTS;

  constructor(options: GateOptions) {
    checkOptions(options);
    const { pusher: publisher, time = systemTime, store: kind = memoryStore() } = options;
    const settings = settingsFor(options.lagWindowMs, options);
    const isTrusted = options.freshness === "trusted";
    const onError = options.onError ?? complaints(time);
    const handlers = new Handlers(time, settings.leaseMs, onError);
    const store = kind.open({ settings, time, isTrusted, announces: () => !handlers.isEmpty });
    const count = (difference: Partial<Counters>) => {
      this.#counters = addCounts(this.#counters, difference);
    };
    const onSettled = (wasKept: boolean, isSent: boolean) => {
      if (wasKept && isSent) count({ sent: 1, saved: -1, caughtUp: 1 });
      if (!wasKept && !isSent) count({ sent: -1 });
    };
    const announce = (change: Change) => handlers.call(change);
    const drains = new Drains({
      store,
      publisher,
      time,
      leaseMs: settings.leaseMs,
      announce,
      onSettled,
      onError,
    });
    const onDrain = (channels: readonly string[]) => drains.start(channels);
    this.#options = options;
    this.#time = time;
    this.#settings = settings;
    this.#onError = onError;
    this.#store = store;
    this.#handlers = handlers;
    this.#drains = drains;
    const watch = new Watch({ store, feed: this.#feed(), settings, time, onDrain, onError });
    this.#watch = watch;
    this.#outlet = new Outlet({
      store,
      publisher,
      time,
      prefix: options.prefix ?? "",
      isStoreAway: () => watch.isStoreAway,
      storeFailed: (error) => watch.storeFailed(error),
      onDrain,
      count,
    });
  }

  /**
   * Publishes an event as `pusher.trigger` does, if somebody listens to the channel or if that is not known.
   *
   * Where nobody listens it is kept for `lagWindowMs`, and published if somebody turns out to have come in time. Order is kept
   * for a channel and a caller that awaits each call. Channels of the kinds that remember their last event (`cache-` and its
   * relatives) are always published to.
   *
   * @returns true if it was sent, or queued behind older ones that are being sent; false if it was kept. With several channels:
   * false if it was kept for all of them
   * @throws as `pusher.trigger` does, where it is refused or cannot be sent; GateError where more waits than the gate holds
   */
  trigger(
    channel: string | readonly string[],
    event: string,
    data: unknown,
    params?: TriggerParams,
  ): Promise<boolean> {
    return this.#outlet.trigger(typeof channel === "string" ? [channel] : [...channel], event, data, params);
  }

  /**
   * Calls the function when a channel has got its first watcher: after what was caught up, and before what is triggered from
   * then on, which waits until the function has ended (twice the lag window at most). So the present state that it publishes
   * with `pusher.trigger` stands between the two. It may be called twice for one arrival.
   *
   * Of several processes that share a store it is called in one of those that gave a function.
   *
   * @returns the way to take the function back
   */
  onOccupied(handler: OccupiedHandler): () => void {
    return this.#handlers.add(handler);
  }

  /**
   * The endpoint of webhooks. It answers 200 when the changes are in the store, 401 to a wrong signature, 503 while the store
   * does not answer.
   */
  receiver(options?: ReceiverOptions): (request: Request) => Promise<Response> {
    return requestReceiver(this.#receiver(options));
  }

  /** The same for `node:http`, Express and their relatives. It must come before any body parser. */
  nodeReceiver(options?: ReceiverOptions): (request: NodeRequest, response: NodeResponse) => Promise<void> {
    return nodeReceiver(this.#receiver(options), this.#onError);
  }

  /**
   * What this gate did; `sent + saved` is the number of its calls that did not fail. A message is kept by one worker and perhaps
   * caught up by another, which counts it as sent and takes it off its own `saved`: then the sums are right, and `totals`.
   */
  get counters(): Counters {
    return this.#counters;
  }

  /** What all gates did that share the store, as this one heard last. */
  get totals(): Counters {
    return this.#store.totals();
  }

  /** Whether what is known was fresh when this gate looked last. While it is not, everything is sent. */
  get isFresh(): boolean {
    return this.#watch.isFresh;
  }

  /** Resolves when the gate knows who listens, but after `lagWindowMs` at the latest. Until it knows, everything is sent. */
  start(): Promise<void> {
    return this.#watch.start();
  }

  /**
   * Ends the gate, which until then keeps its process alive; what is triggered afterwards is sent at once. With `memoryStore`,
   * what is still kept is sent, since nobody will be there to hear of a watcher.
   */
  async close(): Promise<void> {
    this.#watch.close();
    try {
      const left = await this.#store.close();
      this.#drains.start(left);
      if (left.length > 0) await within(this.#time, CLOSE_MS, this.#drains.idle(), () => undefined);
    } catch {
      // The store is away: what is in it is for other workers.
    }
    await this.#drains.close();
  }

  #receiver(options: ReceiverOptions | undefined): Receiver {
    const { pusher: publisher, tokens = [], freshness, prefix = "" } = this.#options;
    const apply = async (changes: readonly Change[]) => {
      await this.#apply(changes.filter(({ channel }) => channel.startsWith(prefix)));
    };
    const isTrusted = freshness === "trusted";
    return new Receiver({ publisher, tokens, isTrusted, apply, onError: this.#onError }, options);
  }

  #feed(): Feed {
    const { pusher: publisher, feed, prefix = "", endpoint, name } = this.#options;
    const { maxBehindMs, askEveryMs: timeoutMs } = this.#settings;
    const time = this.#time;
    const stream = { open: this.#options.openStream ?? signedStream(publisher), time, prefix };
    const parts = {
      time,
      maxBehindMs,
      readSnapshot: (signal: AbortSignal) => readSnapshot({ ...stream, signal }),
      applySnapshot: (snapshot: Snapshot) => this.#applySnapshot(snapshot),
      askPosition: () =>
        askPosition({
          publisher,
          time,
          timeoutMs,
          hearsByWebhooks: feed === "webhooks",
          endpoint: feed === "webhooks" ? endpoint : undefined,
          name: name ?? this.#store.name ?? hostname(),
          counters: this.#store.totals(),
        }),
    };
    if (this.#options.freshness === "trusted") {
      return new TrustedFeed({
        publisher,
        time,
        prefix,
        addOccupied: ({ occupied }) => this.#apply(occupied),
        raiseFloor: (version) => this.#store.raiseFloor(version),
      });
    }
    if (feed === "webhooks") return new WebhookFeed(parts);
    return new StreamFeed({
      ...parts,
      open: (after, signal) => occupancyStream({ ...stream, after, signal }),
      applyChanges: (changes) => this.#apply(changes),
      onError: this.#onError,
    });
  }

  async #apply(changes: readonly Change[]): Promise<void> {
    this.#drains.start(await this.#store.apply(changes));
  }

  #applySnapshot(snapshot: Snapshot): Promise<void> {
    const onDrain = (channels: readonly string[]) => this.#drains.start(channels);
    return applySnapshot(this.#store, snapshot, onDrain);
  }
}
