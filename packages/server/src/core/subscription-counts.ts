import { type ChannelKind, channelKind } from "@earshot/protocol/channel";
import { SUBSCRIPTION_COUNT_EAGER_MAX, SUBSCRIPTION_COUNT_PAUSE_MS } from "@earshot/protocol/limits";
import * as frames from "@earshot/protocol/server-message";
import type { App } from "./app.ts";
import { type AppStore, type Bus, type Clock, type Outbox, topicOf } from "./ports.ts";
import { isWantedByAny } from "./webhook-filter.ts";

/** A large channel: told at most once per pause, and the newest count at its end. */
interface Paused {
  readonly appId: string;
  readonly channel: string;
  readonly untilMs: number;
  latest: number | undefined;
}

/**
 * Tells subscribers, and webhooks, how many subscribers there are, where the app wants that. Never on presence channels,
 * which have members. On encrypted channels, and at zero, only webhooks are told.
 */
export class SubscriptionCounts {
  readonly #paused = new Map<string, Paused>();
  readonly #apps: AppStore;
  readonly #bus: Bus;
  readonly #outbox: Pick<Outbox, "append">;
  readonly #clock: Clock;
  readonly #failed: (problem: unknown) => void;
  #isQuiet = false;

  constructor(parts: {
    apps: AppStore;
    bus: Bus;
    outbox: Pick<Outbox, "append">;
    clock: Clock;
    failed: (problem: unknown) => void;
  }) {
    this.#apps = parts.apps;
    this.#bus = parts.bus;
    this.#outbox = parts.outbox;
    this.#clock = parts.clock;
    this.#failed = parts.failed;
  }

  /** Nobody is told anything any more, also not what a pause has held back. */
  beQuiet(): void {
    this.#isQuiet = true;
  }

  /** To be called with the new count after each subscribe and unsubscribe. */
  changed(appId: string, channel: string, kind: ChannelKind | undefined, count: number): void {
    const app = this.#counting(appId);
    if (app === undefined) return;
    const { members, kind: name } = kind ?? channelKind(channel);
    if (members || name === "user") return;
    const topic = topicOf(appId, channel);
    const paused = this.#paused.get(topic);
    if (count > SUBSCRIPTION_COUNT_EAGER_MAX && paused !== undefined) {
      paused.latest = count;
      return;
    }
    if (count > SUBSCRIPTION_COUNT_EAGER_MAX) {
      const untilMs = this.#clock.monotonicMs() + SUBSCRIPTION_COUNT_PAUSE_MS;
      this.#paused.set(topic, { appId, channel, untilMs, latest: undefined });
    } else if (paused !== undefined) {
      this.#paused.delete(topic);
    }
    this.#tell(app, channel, name, count);
  }

  /** To be called about once a second: tells the counts whose pause is over. */
  tick(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [topic, paused] of this.#paused) {
      if (paused.untilMs > nowMs) break; // in order of their beginning, and all pauses are equally long
      this.#paused.delete(topic);
      const app = this.#counting(paused.appId);
      if (paused.latest === undefined || app === undefined) continue;
      this.#paused.set(topic, { ...paused, untilMs: nowMs + SUBSCRIPTION_COUNT_PAUSE_MS, latest: undefined });
      this.#tell(app, paused.channel, channelKind(paused.channel).kind, paused.latest);
    }
  }

  /** The app, where it wants counts. */
  #counting(appId: string): App | undefined {
    const app = this.#isQuiet ? undefined : this.#apps.byId(appId);
    return app?.features.subscriptionCount === true ? app : undefined;
  }

  #tell(app: App, channel: string, kind: ChannelKind["kind"], count: number): void {
    if (isWantedByAny(app, "subscription_count", channel)) {
      this.#outbox.append(app.id, { name: "subscription_count", channel, subscription_count: count });
    }
    // The java client decrypts every event of an encrypted channel and reports a failure for each count.
    if (count === 0 || kind === "encrypted") return;
    const answer = this.#bus.publish(app.id, channel, frames.subscriptionCount(channel, count));
    if (answer instanceof Promise) answer.catch(this.#failed);
  }
}
