/**
 * What the core needs from the outside: interfaces and their guarantees.
 * Each port has one conformance suite (`cluster/conformance/`) that every implementation runs.
 */
import type { MomentEvent, WebhookEvent } from "@earshot/protocol/webhook";
import type { App, AppKey } from "./app.ts";

/** An answer that one process gives at once and a cluster gives later. The core is written for both. */
export type Answer<T> = T | Promise<T>;

/** One client's connection, whatever carries it. After `close`, every method is a no-op. */
export interface Socket {
  /** Frames leave in the order of the calls, also against frames published to a topic. */
  send(frame: string): unknown;
  subscribe(topic: string): unknown;
  unsubscribe(topic: string): unknown;
  /** Asks the other end for a sign of life (a WebSocket ping frame). */
  ping(): unknown;
  /** Says goodbye with a close frame. */
  close(code: number, reason: string): unknown;
  /** Ends the connection without waiting for the other end. */
  terminate(): unknown;
}

/** The name of a channel's topic. Neither app ids nor channel names can contain a slash. */
export function topicOf(appId: string, channel: string): string {
  return `${appId}/${channel}`;
}

/** Fan-out inside this process: one call reaches every subscriber of a topic, whatever carries it. */
export interface Topics {
  /** Returns how many subscribers the frame was due to. */
  publish(topic: string, frame: string, except?: Socket): number;
}

/** Moves a channel's frames to every node that has a subscriber of it. */
export interface Bus {
  /**
   * Frames of one caller on one channel arrive in the order of the calls.
   * @param exceptSocketId the one connection, on any node, that is left out
   */
  publish(appId: string, channel: string, frame: string, exceptSocketId?: string): Answer<void>;
}

/** Who a connection is on a presence channel. `infoJson` is the user_info as JSON text. */
export interface Member {
  readonly userId: string;
  readonly infoJson: string;
}

export interface Join {
  readonly appId: string;
  readonly channel: string;
  readonly socketId: string;
  readonly member?: Member;
  /** Distinct users that the channel may hold; looked at in the same step as the join. */
  readonly maxMembers: number;
  /** Subscriptions that the channel may hold with this one; looked at in the same step. */
  readonly maxSubscriptions?: number;
}

export type Joined =
  | {
      readonly joined: true;
      readonly subscriptions: number;
      readonly members?: readonly Member[];
      readonly memberIsNew: boolean;
    }
  | {
      readonly joined: false;
      readonly refusal: "members" | "subscriptions";
      readonly limit: number;
      readonly actual: number;
    };

export interface Leave {
  readonly appId: string;
  readonly channel: string;
  readonly socketId: string;
  readonly userId?: string;
}

export interface Left {
  readonly subscriptions: number;
  /** It was the user's last connection on the channel. */
  readonly memberIsGone: boolean;
}

export interface ChannelCounts {
  readonly subscriptions: number;
  /** Distinct users; 0 for a channel without members. */
  readonly users: number;
}

/**
 * Who is subscribed to what: the one place that counts. A join and a leave each are one atomic step.
 * A second join of the same socket and channel, or a leave without a join, is the caller's mistake: the session
 * knows its own subscriptions and never makes it.
 */
export interface Occupancy {
  join(join: Join): Answer<Joined>;
  leave(leave: Leave): Answer<Left>;
  /** Zeroes for a channel that nobody is subscribed to. */
  counts(appId: string, channel: string): Answer<ChannelCounts>;
  /** Occupied channels whose name starts with `prefix`. */
  channels(appId: string, prefix: string): Answer<ReadonlyMap<string, ChannelCounts>>;
  members(appId: string, channel: string): Answer<readonly Member[]>;
}

/** What the outside was last told of a channel, or of a member of it. */
export interface Announced {
  readonly channel: string;
  /** Of a member. */
  readonly userId?: string;
  /** Occupied, or a member; not vacant, or gone. */
  readonly isPresent: boolean;
  readonly version: number;
  /** Unix milliseconds at which it became so; of a departure, at which it was announced. */
  readonly occurredMs: number;
  /** Subscriptions of the channel when it was announced. */
  readonly subscriptions: number;
}

/** One event that is committed: it is durable, and its version is nobody else's. */
export interface OutboxEntry {
  readonly appId: string;
  readonly version: number;
  readonly occurredMs: number;
  readonly event: WebhookEvent;
  /** Subscriptions of the channel when it was announced; 0 for events that tell no state. */
  readonly subscriptions: number;
}

/** A cut: everything announced at or below `position`, and nothing above it. */
export interface Snapshot {
  readonly position: number;
  /** Those that are present only, in order of version. */
  readonly present: readonly Announced[];
}

export interface OutboxQuery {
  readonly appId: string;
  /** Entries above it. */
  readonly after: number;
  readonly limit: number;
  /** Only the entries of this lane (`core/lane.ts`). */
  readonly lane?: number;
}

/**
 * What happened, in order, as the outside is to be told: the one thing that webhooks, streams and the dashboard read.
 * A change of what is announced, its version and its entry are one durable step. Versions of an app only grow, over
 * restarts too. Entries and snapshots hold only what is committed.
 */
export interface Outbox {
  /**
   * Takes an event that is not about a state. It is committed soon; while that fails, up to 10,000 of an app are held.
   * False where it was dropped.
   */
  append(appId: string, event: MomentEvent): boolean;
  /** The version of the newest committed entry, 0 where there never was one. */
  position(appId: string): Answer<number>;
  /** For how many milliseconds somebody has been there whose arrival is not committed yet; 0 where there is nobody. */
  lagMs(appId: string): Answer<number>;
  /** The lowest `after` that a reader may still ask for without a gap. */
  horizon(appId: string): Answer<number>;
  /** Oldest first. */
  read(query: OutboxQuery): Answer<readonly OutboxEntry[]>;
  /** The present state of a channel or a member: undefined where it was never announced, or vacant for long. */
  announced(appId: string, channel: string, userId?: string): Answer<Announced | undefined>;
  /** Channels whose name starts with `prefix`, with their members where asked for. */
  snapshot(appId: string, prefix: string, withMembers: boolean): Answer<Snapshot>;
  /** Called after each commit with its entries, in order of version. Returns the way out. */
  onCommitted(listener: (appId: string, entries: readonly OutboxEntry[]) => void): () => void;
  /**
   * Entries at or below `delivered` are waited for by no webhook endpoint. They stay for streams that resume: for
   * 10 minutes, at most 100,000 of them. What an app that is gone has left goes with `forget`.
   */
  trim(appId: string, delivered: number): Answer<void>;
  /** The ids of apps that have left anything which `forget` would delete. */
  remembered(): Answer<readonly string[]>;
  /** Deletes all of it. Its versions go on where they were. */
  forget(appId: string): Answer<void>;
}

/** How far one endpoint's webhooks have come. */
export interface WebhookProgress {
  readonly endpointId: string;
  readonly url: string;
  readonly enabled: boolean;
  /** Events that wait for it, those under way included. */
  readonly waiting: number;
  /** Unix milliseconds at which the oldest of them happened; undefined where none waits. */
  readonly oldestWaitingMs: number | undefined;
  /** Since the process started. */
  readonly delivered: number;
  readonly failedAttempts: number;
  /** That exist now. */
  readonly deadLetters: number;
  /** Events that gave way to a newer state because too many waited; since the process started. */
  readonly collapsed: number;
}

/** What the API and the metrics may ask about webhooks. */
export interface WebhookStatus {
  progress(appId: string): readonly WebhookProgress[];
}

/** One connection of a user. */
export interface SignIn {
  readonly appId: string;
  readonly userId: string;
  readonly socketId: string;
}

/**
 * Which users are online: from their first sign-in until `lapse`, which is asked for some time after the last of their
 * connections has left. Each method is one atomic step over all nodes; repeating one changes nothing.
 */
export interface OnlineUsers {
  /** True where the user was not online before. */
  arrive(signIn: SignIn): Answer<boolean>;
  /** True where it was the user's last connection. The user stays online. */
  leave(signIn: SignIn): Answer<boolean>;
  /** Ends the being online of a user without connections: true where it did. */
  lapse(appId: string, userId: string): Answer<boolean>;
  /** Those of the users who are online. */
  online(appId: string, userIds: readonly string[]): Answer<ReadonlySet<string>>;
}

/** Reaches the connections of a user wherever they are. */
export interface Terminations {
  /** Each node, this one included, ends its connections that are signed in as the user. */
  terminate(appId: string, userId: string): Answer<void>;
}

export interface LastEvent {
  readonly name: string;
  readonly data: string;
  /** Whole seconds until it is forgotten, at least 1. */
  readonly ttlSeconds: number;
}

/** The last event of each cache channel, kept also while nobody is subscribed. */
export interface LastEvents {
  remember(
    appId: string,
    channel: string,
    event: { name: string; data: string },
    ttlSeconds: number,
  ): Answer<void>;
  recall(appId: string, channel: string): Answer<LastEvent | undefined>;
}

/** The apps as they are now. Reads are from memory; a change in the store shows within about a second. */
export interface AppStore {
  byId(id: string): App | undefined;
  /** The app that holds this key, and the pair; also for a revoked pair. */
  byKey(key: string): { readonly app: App; readonly pair: AppKey } | undefined;
  all(): readonly App[];
  /**
   * Whether there certainly is no such app, so that what it has left may be deleted. False where it exists and is not
   * valid, and where the store is away or, as a wrong one would, holds no app at all.
   */
  isGone(id: string): boolean;
  /** Called after a change with the app's next version, or undefined where it was deleted. Returns the way out. */
  onChange(listener: (appId: string, app: App | undefined) => void): () => void;
}

/** The disk below one SQLite file in WAL mode, waited for without stopping the process. */
export interface Disk {
  /** Pages of its log at which the connection that writes makes a checkpoint itself, because none came in time. */
  readonly lastResortPages: number;
  /**
   * To be called when something was written and before more is. Where it is time for a checkpoint, it is made now. `done` is
   * called when writing may go on, at once where it is not time.
   */
  checkpoint(done: () => void): void;
  /** Tells when all that was written before is durable, or why that is not known. */
  flush(done: (problem: string | undefined) => void): void;
  /**
   * The same, and the process stops until then.
   *
   * @throws what the disk says
   */
  flushNow(): void;
}

export interface Clock {
  /** Milliseconds that only grow; for durations. */
  monotonicMs(): number;
  /** Unix milliseconds; for what is shown or sent. */
  wallMs(): number;
}

/** Randomness, so that tests can choose it. */
export interface Chance {
  /** A whole number from 0 up to, not including, `below`; not guessable. */
  integer(below: number): number;
}
