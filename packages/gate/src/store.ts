import type { Change } from "./change.ts";
import type { Counters } from "./counters.ts";
import type { Settings } from "./settings.ts";
import type { Time } from "./time.ts";

/**
 * What the store says of a message, in the words of the design: the channel's state.
 * - `member`: somebody listens; the caller sends it.
 * - `unknown`: the store cannot vouch for what it knows, or has no room to keep the message; the caller sends it.
 * - `absent`: nobody listens; it was kept for a while.
 * - `draining`: older messages are on their way out; it waits behind them, and the caller need do nothing.
 * - `full`: it should wait, but too much waits already.
 */
export type Verdict =
  | { readonly state: "member" | "unknown" | "absent" }
  | {
      readonly state: "draining";
      /** Messages that wait, this one included. */
      readonly waiting: number;
      /** Nobody holds the drain: the caller should start it. */
      readonly isUnclaimed: boolean;
      /** It waits because the state was found unknown, so it counts as failed open. */
      readonly isUnknown: boolean;
    }
  | { readonly state: "full"; readonly waiting: number };

/** The first of what waits in a channel. */
export type Next =
  | { readonly kind: "message"; readonly id: string; readonly text: string; readonly wasKept: boolean }
  /** Between what was caught up and what came after: here watchers arrived. */
  | { readonly kind: "occupied"; readonly id: string; readonly change: Change }
  /** Nothing waits any more; the channel is a member, or absent. */
  | { readonly kind: "over" }
  /** Another worker holds the drain, or is to take it. */
  | { readonly kind: "lost" };

/** What became of the first: it leaves the queue. */
export interface Done {
  readonly id: string;
  readonly isSent: boolean;
}

/** What a worker learns when it looks in. */
export interface Pulse {
  readonly isFresh: boolean;
  /** This worker speaks with the server for all that share the store. */
  readonly isLeader: boolean;
  /** Channels whose drain nobody holds, the caller included. */
  readonly unclaimed: readonly string[];
}

/** That the feed had told, when the server was asked, everything but the last two seconds. */
export interface Proof {
  /** When the server was asked, on this process's monotonic clock. */
  readonly askedMs: number;
  /** The server's clock less this process's monotonic one; undefined where the service tells no time. */
  readonly serverOffsetMs: number | undefined;
  /** From `beginRepair`: a snapshot was applied since, so that from now on the store vouches for what it knows. */
  readonly repair?: string;
}

/**
 * What is known about channels, and the messages that were kept because of it. Each method is one atomic step.
 * A store is fresh, and vouches for what it knows, from a `beat` that ends a repair for as long as each next beat comes in
 * time and nobody meddles with its state. A store that is not fresh calls every channel unknown. Where kept messages of
 * a channel exist then, they wait to be drained first.
 */
export interface Store {
  /** Who reports the counts: the same for all that share the store; undefined where nobody shares it. */
  readonly name: string | undefined;
  offer(channel: string, text: string): Promise<Verdict>;
  /**
   * Applies those that are newer than what is held. A channel that became occupied drains what was kept of it since a
   * second before. Where a worker lives that announces, the drain says where watchers arrived, also if nothing was kept.
   * Returns the channels that have something to drain.
   */
  apply(changes: readonly Change[]): Promise<readonly string[]>;
  /**
   * Takes or keeps the drain of a channel and looks at what waits first. `done` takes that out before.
   * Who does not come back for a while has lost the drain. An arrival is given to a worker that announces, as long as one
   * lives; others lose the drain there.
   */
  next(channel: string, done?: Done): Promise<Next>;
  /** Gives the drain of a channel back, for another worker to take over. */
  release(channel: string): Promise<void>;
  tick(): Promise<Pulse>;
  /** True where the store is fresh now. False: it has to be repaired. */
  beat(proof: Proof): Promise<boolean>;
  /** From now on nothing is known, until a beat with what this returns. */
  beginRepair(): Promise<string>;
  /** The occupied channels, some at a time, perhaps repeated; each that was there throughout is among them. */
  members(): AsyncIterable<readonly string[]>;
  /** Channels that are occupied in the store, but were not at `position`. Each that changed since stays. */
  removeAbsent(channels: readonly string[], position: number): Promise<void>;
  /** Of channels without a record, changes at or below it are stale. Records that say no more than that are let go. */
  raiseFloor(position: number): Promise<void>;
  /** Corrects the counts by what only the caller knows. */
  count(difference: Partial<Counters>): void;
  /** Of all that share the store, as far as this worker knows. */
  totals(): Counters;
  /** Makes everything unknown and what is kept ready to be drained, where no other worker could do it later. */
  close(): Promise<readonly string[]>;
}

export interface StoreContext {
  readonly settings: Settings;
  readonly time: Time;
  /** The service tells no position; what it said last is valid until it says something else. */
  readonly isTrusted: boolean;
  /** Whether this worker has somebody to tell of arrivals. */
  readonly announces: () => boolean;
}

/** What `memoryStore()` and `redisStore()` give to `createGate`. */
export interface GateStore {
  open(context: StoreContext): Store;
}
