import * as frames from "@earshot/protocol/server-message";
import { after, attempt } from "./answer.ts";
import { type Answer, type AppStore, type Bus, type Clock, type OnlineUsers, topicOf } from "./ports.ts";
import type { Session } from "./session.ts";

/** A user without connections who still counts as online. */
interface Lingering {
  readonly appId: string;
  readonly userId: string;
  readonly untilMs: number;
}

const RETRY_MS = 1_000; // ours: a back end that failed is asked again at the next tick

/**
 * Who is told of whose comings and goings. Watchers' sockets are subscribed to a topic of the watched user, so that a
 * change is one frame on the bus however many they are.
 */
export class Watchlists {
  readonly #lingering = new Map<string, Lingering>();
  readonly #apps: AppStore;
  readonly #online: OnlineUsers;
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #offlineDelayMs: number;
  readonly #failed: (problem: unknown) => void;
  #isQuiet = false;

  constructor(parts: {
    apps: AppStore;
    online: OnlineUsers;
    bus: Bus;
    clock: Clock;
    /** How long a user without connections counts as online. */
    offlineDelayMs: number;
    failed: (problem: unknown) => void;
  }) {
    this.#apps = parts.apps;
    this.#online = parts.online;
    this.#bus = parts.bus;
    this.#clock = parts.clock;
    this.#offlineDelayMs = parts.offlineDelayMs;
    this.#failed = parts.failed;
  }

  /** A planned shutdown sends nobody offline: they come back to the next process. */
  beQuiet(): void {
    this.#isQuiet = true;
  }

  /** One message with the present state of all of them, then each change. */
  watch(session: Session, userIds: readonly string[]): Answer<void> {
    if (userIds.length === 0) return;
    return after(this.#online.online(session.appId, userIds), (online) => {
      if (!session.isOpen) return;
      const offline = userIds.filter((id) => !online.has(id));
      session.send(
        frames.watchlistEvents(
          userIds.filter((id) => online.has(id)),
          offline,
        ),
      );
      for (const id of userIds) session.socket.subscribe(watchTopic(session.appId, id));
      return this.#correct(session, userIds, online);
    });
  }

  unwatch(session: Session, userIds: readonly string[]): void {
    for (const id of userIds) session.socket.unsubscribe(watchTopic(session.appId, id));
  }

  /** @param exceptSocketId the connection that has just come, which knows */
  cameOnline(appId: string, userId: string, exceptSocketId: string): Answer<void> {
    return this.#tell(appId, userId, true, exceptSocketId);
  }

  /** The user's last connection is gone, from here or from a node that died. */
  left(appId: string, userId: string): Answer<void> {
    if (this.#isQuiet) return;
    if (this.#offlineDelayMs === 0) return this.#lapse(appId, userId);
    this.#linger(appId, userId, this.#offlineDelayMs);
  }

  /** To be called about once a second: who has been gone for long enough is offline. */
  tick(): void {
    if (this.#isQuiet) return;
    const nowMs = this.#clock.monotonicMs();
    for (const [key, { appId, userId, untilMs }] of [...this.#lingering]) {
      if (untilMs > nowMs) continue;
      this.#lingering.delete(key);
      void this.#lapse(appId, userId);
    }
  }

  /**
   * What changed between the question and the subscriptions was told to nobody here, and an answer may have been
   * overtaken by a change that was told: compares until there is no difference.
   */
  #correct(session: Session, userIds: readonly string[], told: ReadonlySet<string>): Answer<void> {
    return after(this.#online.online(session.appId, userIds), (now) => {
      const online = userIds.filter((id) => now.has(id) && !told.has(id));
      const offline = userIds.filter((id) => told.has(id) && !now.has(id));
      if (!session.isOpen || online.length + offline.length === 0) return;
      session.send(frames.watchlistEvents(online, offline));
      return this.#correct(session, userIds, now);
    });
  }

  #linger(appId: string, userId: string, forMs: number): void {
    const untilMs = this.#clock.monotonicMs() + forMs;
    this.#lingering.set(watchTopic(appId, userId), { appId, userId, untilMs });
  }

  /** Never fails: what the back end could not do is tried again. */
  #lapse(appId: string, userId: string): Answer<void> {
    return attempt(
      () => this.#online.lapse(appId, userId),
      (hasGone) => (hasGone ? this.#tell(appId, userId, false) : undefined),
      (problem) => {
        this.#failed(problem);
        this.#linger(appId, userId, RETRY_MS);
      },
    );
  }

  /**
   * Tells all watchers, then compares: another node may have told the opposite in between. Whoever told last sees the
   * truth, so the last word is right. Never fails.
   */
  #tell(appId: string, userId: string, isOnline: boolean, exceptSocketId?: string): Answer<void> {
    if (this.#apps.byId(appId)?.features.watchlist !== true) return;
    const frame = isOnline ? frames.watchlistEvents([userId], []) : frames.watchlistEvents([], [userId]);
    return attempt(
      () =>
        after(this.#bus.publish(appId, watchChannel(userId), frame, exceptSocketId), () =>
          this.#online.online(appId, [userId]),
        ),
      (now) => {
        if (now.has(userId) !== isOnline && !this.#isQuiet) return this.#tell(appId, userId, !isOnline);
      },
      this.#failed,
    );
  }
}

/** No channel of a client: names that start with # are refused but for those of users. */
function watchChannel(userId: string): string {
  return `#watched-${userId}`;
}

function watchTopic(appId: string, userId: string): string {
  return topicOf(appId, watchChannel(userId));
}
