import type { ChannelKind } from "@earshot/protocol/channel";
import { ProtocolError, protocolError } from "@earshot/protocol/errors";
import * as frames from "@earshot/protocol/server-message";
import type { Digest } from "@earshot/protocol/signature";
import { type Admission, admit, type Subscribe } from "./admission.ts";
import { after, afterAll } from "./answer.ts";
import type { App } from "./app.ts";
import { CacheMisses } from "./cache-misses.ts";
import {
  type Answer,
  type Bus,
  type Clock,
  type Join,
  type Joined,
  type LastEvent,
  type LastEvents,
  type Member,
  type Occupancy,
  type Outbox,
  topicOf,
} from "./ports.ts";
import { strictestQuota } from "./quota.ts";
import type { Session } from "./session.ts";
import type { SubscriptionCounts } from "./subscription-counts.ts";

/** The only way into and out of a channel. */
export class Subscriptions {
  readonly #occupancy: Occupancy;
  readonly #bus: Bus;
  readonly #lastEvents: LastEvents;
  readonly #counts: SubscriptionCounts;
  readonly #cacheMisses: CacheMisses;
  readonly #digest: Digest;
  #isQuiet = false;

  constructor(parts: {
    occupancy: Occupancy;
    bus: Bus;
    lastEvents: LastEvents;
    counts: SubscriptionCounts;
    outbox: Pick<Outbox, "append">;
    clock: Clock;
    digest: Digest;
  }) {
    this.#occupancy = parts.occupancy;
    this.#bus = parts.bus;
    this.#lastEvents = parts.lastEvents;
    this.#counts = parts.counts;
    this.#cacheMisses = new CacheMisses(parts);
    this.#digest = parts.digest;
  }

  /** Those who stay are told nothing of those who leave: a planned shutdown is not a departure. */
  beQuiet(): void {
    this.#isQuiet = true;
    this.#counts.beQuiet();
  }

  /** Success frame, then the remembered event or `cache_miss`, then the channel's events; or three frames of refusal. */
  subscribe(session: Session, app: App, message: Subscribe): Answer<void> {
    const admission = admit(this.#digest, session, app, message);
    if (admission instanceof ProtocolError) {
      // The first subscription lives on: only the command was wrong, so no client is told that the channel failed.
      if (admission.reason === "subscriptionExists") return session.refuse(admission);
      return refuse(session, message.channel, admission);
    }
    const { channel, member } = admission;
    session.subscriptions.set(channel, subscription(channel, "joining", member));
    const failed = (problem: unknown) => {
      session.subscriptions.delete(channel);
      session.parts.failed(session, problem);
      refuse(session, channel, protocolError("unavailable"));
    };
    let answer: Answer<Joined>;
    try {
      answer = this.#occupancy.join(joinOf(session, app, admission));
    } catch (problem) {
      return failed(problem);
    }
    const goOn = (joined: Joined) => this.#joined(session, app, admission, joined);
    return answer instanceof Promise ? answer.then(goOn, failed) : goOn(answer);
  }

  unsubscribe(session: Session, channel: unknown): Answer<void> {
    const name = typeof channel === "string" ? channel : "";
    if (session.subscriptions.get(name)?.state === "joined") return this.#leave(session, name);
    session.refuse(
      protocolError("subscriptionMissing", { channel: typeof channel === "string" ? name : "(none)" }),
    );
  }

  /** The connection is gone: the same leave for each channel that it was in. One that fails holds up no other. */
  leaveAll(session: Session): Answer<void> {
    const joined = [...session.subscriptions.values()].filter(({ state }) => state === "joined");
    const failed = (problem: unknown) => session.parts.failed(session, problem);
    const leave = (channel: string): Answer<void> => {
      try {
        const answer = this.#leave(session, channel);
        return answer instanceof Promise ? answer.catch(failed) : answer;
      } catch (problem) {
        failed(problem);
      }
    };
    // A join that is still under way sees the end of the session itself.
    return after(afterAll(joined.map(({ channel }) => leave(channel))), () => undefined);
  }

  #joined(session: Session, app: App, admission: Admission, joined: Joined): Answer<void> {
    const { channel, kind, member } = admission;
    if (!joined.joined) {
      session.subscriptions.delete(channel);
      const { limit, actual } = joined;
      const reason = joined.refusal === "subscriptions" ? "quotaReached" : "presenceFull";
      return refuse(session, channel, protocolError(reason, { channel }, { limit, actual }));
    }
    session.subscriptions.set(channel, subscription(channel, "joined", member));
    session.tally.subscriptions++;
    if (kind.signed) session.isAuthorized = true;
    if (!session.isOpen) return this.#leave(session, channel);
    session.send(
      joined.members === undefined
        ? frames.subscriptionSucceeded(channel)
        : frames.presenceSucceeded(channel, joined.members),
    );
    return after(this.#sendRemembered(session, app, channel, kind), () => {
      if (!session.isOpen || !session.subscriptions.has(channel)) return;
      session.socket.subscribe(topicOf(app.id, channel));
      return this.#tellArrival(session, channel, kind, joined, member);
    });
  }

  /** A memory that cannot be read is an empty one to the client, whose subscription works all the same. */
  #sendRemembered(session: Session, app: App, channel: string, kind: ChannelKind): Answer<void> {
    if (!kind.cache) return;
    const send = (last: LastEvent | undefined) => {
      if (!session.isOpen) return;
      if (last !== undefined) return session.send(frames.event(last.name, channel, last.data));
      session.send(frames.cacheMiss(channel));
      this.#cacheMisses.found(app, channel);
    };
    const failed = (problem: unknown) => {
      session.parts.failed(session, problem);
      send(undefined);
    };
    try {
      const answer = this.#lastEvents.recall(session.appId, channel);
      return answer instanceof Promise ? answer.then(send, failed) : send(answer);
    } catch (problem) {
      failed(problem);
    }
  }

  #tellArrival(
    session: Session,
    channel: string,
    kind: ChannelKind,
    joined: Extract<Joined, { joined: true }>,
    member: Member | undefined,
  ): Answer<void> {
    if (!kind.members) {
      this.#counts.changed(session.appId, channel, kind, joined.subscriptions);
      return;
    }
    if (member === undefined || !joined.memberIsNew) return;
    return this.#tellOthers(session, channel, frames.memberAdded(channel, member));
  }

  #leave(session: Session, channel: string): Answer<void> {
    const left = session.subscriptions.get(channel);
    session.subscriptions.delete(channel);
    session.tally.subscriptions--;
    session.socket.unsubscribe(topicOf(session.appId, channel));
    const userId = left?.userId;
    const leave = { appId: session.appId, channel, socketId: session.socketId };
    return after(this.#occupancy.leave(userId === undefined ? leave : { ...leave, userId }), (result) => {
      if (this.#isQuiet) return;
      if (userId === undefined) {
        this.#counts.changed(session.appId, channel, undefined, result.subscriptions);
        return;
      }
      if (!result.memberIsGone) return;
      return this.#tellOthers(session, channel, frames.memberRemoved(channel, userId));
    });
  }

  /** What was asked for is done: that others cannot be told of it is no answer to the one who asked. */
  #tellOthers(session: Session, channel: string, frame: string): Answer<void> {
    const failed = (problem: unknown) => session.parts.failed(session, problem);
    try {
      const answer = this.#bus.publish(session.appId, channel, frame, session.socketId);
      return answer instanceof Promise ? answer.catch(failed) : answer;
    } catch (problem) {
      failed(problem);
    }
  }
}

/** With the strictest of the quotas that apply; the back end of occupancy counts and decides. */
function joinOf(session: Session, app: App, { channel, member, maxSubscriptions: own }: Admission): Join {
  const maxSubscriptions = strictestQuota(app.quotas, channel, own);
  return {
    appId: app.id,
    channel,
    socketId: session.socketId,
    maxMembers: app.limits.maxPresenceMembers,
    ...(member === undefined ? {} : { member }),
    ...(maxSubscriptions === undefined ? {} : { maxSubscriptions }),
  };
}

function subscription(channel: string, state: "joining" | "joined", member: Member | undefined) {
  return member === undefined ? { channel, state } : { channel, state, userId: member.userId };
}

/** In this order: what every client understands, what dotnet waits for, what Echo and pusher-js channels bind to. */
function refuse(session: Session, channel: unknown, failure: ProtocolError): void {
  session.refuse(failure);
  if (typeof channel !== "string" || channel.length > MAX_ECHOED_CHANNEL_CHARS) return;
  for (const frame of frames.subscriptionErrors(channel, failure)) session.send(frame);
}

const MAX_ECHOED_CHANNEL_CHARS = 1_000; // ours: names that are far too long are refused without being repeated
