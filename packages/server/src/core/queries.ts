import type { ChannelAttributes, ChannelInfo } from "@earshot/protocol/api";
import { after } from "./answer.ts";
import type { App } from "./app.ts";
import type { Answer, LastEvents, Occupancy } from "./ports.ts";

/** What the API and the dashboard may ask about channels. */
export class Queries {
  readonly #occupancy: Occupancy;
  readonly #lastEvents: LastEvents;

  constructor(parts: { occupancy: Occupancy; lastEvents: LastEvents }) {
    this.#occupancy = parts.occupancy;
    this.#lastEvents = parts.lastEvents;
  }

  /** Occupied channels by name; names that start with `#` are the protocol's own and stay hidden. */
  channels(app: App, prefix: string, info: ChannelInfo): Answer<Record<string, ChannelAttributes>> {
    return after(this.#occupancy.channels(app.id, prefix), (occupied) => {
      const channels: Record<string, ChannelAttributes> = Object.create(null);
      for (const [name, counts] of occupied) {
        if (!name.startsWith("#")) channels[name] = info.userCount ? { user_count: counts.users } : {};
      }
      return channels;
    });
  }

  channel(app: App, channel: string, info: ChannelInfo): Answer<{ occupied: boolean } & ChannelAttributes> {
    return after(this.#occupancy.counts(app.id, channel), (counts) => {
      const answer: { occupied: boolean } & ChannelAttributes = { occupied: counts.subscriptions > 0 };
      if (info.userCount) answer.user_count = counts.users;
      if (info.subscriptionCount) answer.subscription_count = counts.subscriptions;
      if (!info.cache) return answer;
      return after(this.#lastEvents.recall(app.id, channel), (last) => {
        answer.cache = last === undefined ? null : { data: last.data, ttl: last.ttlSeconds };
        return answer;
      });
    });
  }

  /** Ids of the distinct users on a presence channel. */
  users(app: App, channel: string): Answer<string[]> {
    return after(this.#occupancy.members(app.id, channel), (members) =>
      members.map((member) => member.userId),
    );
  }

  /** The numbers of the deprecated `stats` call. */
  stats(
    app: App,
    channel: string,
  ): Answer<{ occupied: boolean; user_count: number; connection_count: number }> {
    return after(this.#occupancy.counts(app.id, channel), ({ subscriptions, users }) => ({
      occupied: subscriptions > 0,
      user_count: users,
      connection_count: subscriptions,
    }));
  }
}
