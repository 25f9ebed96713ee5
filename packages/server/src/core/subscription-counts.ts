import { type ChannelKind, channelKind } from "@earshot/protocol/channel";
import { SUBSCRIPTION_COUNT_EAGER_MAX, SUBSCRIPTION_COUNT_PAUSE_MS } from "@earshot/protocol/limits";
import * as frames from "@earshot/protocol/server-message";
import { type AppStore, type Bus, type Clock, topicOf } from "./ports.ts";

/** A large channel: told at most once per pause, and the newest count at its end. */
interface Paused {
  readonly appId: string;
  readonly channel: string;
  readonly untilMs: number;
  latest: number | undefined;
}

/** Tells subscribers how many they are, where the app wants that. Never on presence channels, which have members, nor on encrypted ones. */
export class SubscriptionCounts {
  readonly #paused = new Map<string, Paused>();
  readonly #apps: AppStore;
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #failed: (problem: unknown) => void;

  constructor(parts: { apps: AppStore; bus: Bus; clock: Clock; failed: (problem: unknown) => void }) {
    this.#apps = parts.apps;
    this.#bus = parts.bus;
    this.#clock = parts.clock;
    this.#failed = parts.failed;
  }

  /** To be called with the new count after each subscribe and unsubscribe. */
  changed(appId: string, channel: string, kind: ChannelKind | undefined, count: number): void {
    if (!this.#isWanted(appId)) return;
    const { members, kind: name } = kind ?? channelKind(channel);
    // The java client decrypts every event of an encrypted channel and reports a failure for each count.
    if (members || name === "user" || name === "encrypted") return;
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
    if (count > 0) this.#tell(appId, channel, count);
  }

  /** To be called about once a second: tells the counts whose pause is over. */
  tick(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [topic, paused] of this.#paused) {
      if (paused.untilMs > nowMs) break; // in order of their beginning, and all pauses are equally long
      this.#paused.delete(topic);
      if (paused.latest === undefined || !this.#isWanted(paused.appId)) continue;
      this.#paused.set(topic, { ...paused, untilMs: nowMs + SUBSCRIPTION_COUNT_PAUSE_MS, latest: undefined });
      this.#tell(paused.appId, paused.channel, paused.latest);
    }
  }

  #isWanted(appId: string): boolean {
    return this.#apps.byId(appId)?.features.subscriptionCount === true;
  }

  #tell(appId: string, channel: string, count: number): void {
    const answer = this.#bus.publish(appId, channel, frames.subscriptionCount(channel, count));
    if (answer instanceof Promise) answer.catch(this.#failed);
  }
}
