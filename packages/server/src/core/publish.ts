import type { ChannelAttributes, ChannelInfo, NamedChannel, Trigger } from "@earshot/protocol/api";
import { parseChannelName } from "@earshot/protocol/channel";
import type { ClientMessage } from "@earshot/protocol/client-message";
import { ProtocolError, protocolError } from "@earshot/protocol/errors";
import * as frames from "@earshot/protocol/server-message";
import { bytesOver } from "@earshot/protocol/text-size";
import { after, afterAll } from "./answer.ts";
import type { App } from "./app.ts";
import { LastSecond } from "./last-second.ts";
import type { Answer, Bus, Clock, LastEvents, Occupancy, Outbox } from "./ports.ts";
import type { Session } from "./session.ts";
import type { Tallies } from "./tally.ts";
import type { Taps } from "./taps.ts";
import { isWantedByAny } from "./webhook-filter.ts";

type ClientEvent = Extract<ClientMessage, { type: "clientEvent" }>;

/** From an accepted event to one frame per channel on the bus. */
export class Publisher {
  readonly #bus: Bus;
  readonly #lastEvents: LastEvents;
  readonly #occupancy: Occupancy;
  readonly #outbox: Pick<Outbox, "append">;
  readonly #tallies: Tallies;
  readonly #taps: Taps;
  readonly #clock: Clock;

  constructor(parts: {
    bus: Bus;
    lastEvents: LastEvents;
    occupancy: Occupancy;
    outbox: Pick<Outbox, "append">;
    tallies: Tallies;
    taps: Taps;
    clock: Clock;
  }) {
    this.#bus = parts.bus;
    this.#lastEvents = parts.lastEvents;
    this.#occupancy = parts.occupancy;
    this.#outbox = parts.outbox;
    this.#tallies = parts.tallies;
    this.#taps = parts.taps;
    this.#clock = parts.clock;
  }

  /** Remembers the event on cache channels, then sends it. Being remembered does not depend on who is left out. */
  trigger(app: App, trigger: Trigger): Answer<void> {
    const { name, data, exceptSocketId } = trigger;
    const write = frames.eventWriter(name, data);
    const tally = this.#tallies.of(app.id);
    let pending: Promise<void>[] | undefined;
    for (const { name: channel, kind } of trigger.channels) {
      tally.apiMessages++;
      this.#taps.show(app.id, channel, name, data);
      const remembered = kind.cache
        ? this.#lastEvents.remember(app.id, channel, { name, data }, app.limits.cacheTtlSeconds)
        : undefined;
      const answer = after(remembered, () =>
        this.#bus.publish(app.id, channel, write(channel), exceptSocketId),
      );
      if (answer instanceof Promise) {
        pending ??= [];
        pending.push(answer);
      }
    }
    return pending === undefined ? undefined : Promise.all(pending).then(() => undefined);
  }

  /** The attributes that the caller of a publish asked for, where they apply. */
  attributes(app: App, channels: readonly NamedChannel[], info: ChannelInfo): Answer<ChannelAttributes[]> {
    return afterAll(
      channels.map(({ name, kind }) =>
        after(this.#occupancy.counts(app.id, name), (counts) => {
          const attributes: ChannelAttributes = {};
          if (info.userCount && kind.members) attributes.user_count = counts.users;
          if (info.subscriptionCount && !kind.members && app.features.subscriptionCount) {
            attributes.subscription_count = counts.subscriptions;
          }
          return attributes;
        }),
      ),
    );
  }

  /** An event from one client to the others on a channel. Never cached, never echoed. */
  clientEvent(session: Session, app: App, message: ClientEvent): Answer<void> {
    const failure = this.#refusal(session, app, message);
    if (failure !== undefined) return session.refuse(failure);
    const { event, channel, data } = message;
    session.tally.clientMessages++;
    this.#taps.show(app.id, channel, event, data);
    const userId = session.subscriptions.get(channel)?.userId;
    if (isWantedByAny(app, "client_event", channel)) {
      const told = { name: "client_event", channel, event, data, socket_id: session.socketId } as const;
      this.#outbox.append(app.id, userId === undefined ? told : { ...told, user_id: userId });
    }
    return this.#bus.publish(
      app.id,
      channel,
      frames.clientEvent(event, channel, data, userId),
      session.socketId,
    );
  }

  #refusal(session: Session, app: App, message: ClientEvent): ProtocolError | undefined {
    if (!app.features.clientEvents) return protocolError("clientEventsDisabled", { app: app.id });
    const { channel, event, data } = message;
    const kind = parseChannelName(channel, app.limits.maxChannelNameChars);
    if (kind instanceof ProtocolError) return kind;
    if (kind.kind === "encrypted") return protocolError("clientEventEncrypted");
    if (!kind.clientEvents) return protocolError("clientEventPublic");
    if (session.subscriptions.get(channel)?.state !== "joined") {
      return protocolError("clientEventNotSubscribed", { channel });
    }
    if (event.length > app.limits.maxEventNameChars) {
      return protocolError(
        "eventNameTooLong",
        {},
        { limit: app.limits.maxEventNameChars, actual: event.length },
      );
    }
    const tooLarge = bytesOver(data, app.limits.maxEventBytes);
    if (tooLarge !== undefined) {
      return protocolError("clientEventTooLarge", {}, { limit: app.limits.maxEventBytes, actual: tooLarge });
    }
    return this.#rateRefusal(session, app.limits.maxClientEventsPerSecond);
  }

  /** A sliding second: the event after the last allowed one is dropped, and does not count itself. */
  #rateRefusal(session: Session, perSecond: number): ProtocolError | undefined {
    const nowMs = this.#clock.monotonicMs();
    session.clientEvents ??= new LastSecond();
    const recent = session.clientEvents.countAt(nowMs);
    if (recent >= perSecond)
      return protocolError("clientEventRate", {}, { limit: perSecond, actual: recent + 1 });
    session.clientEvents.add(nowMs);
    return undefined;
  }
}
