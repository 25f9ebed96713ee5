/**
 * The times and bounds of a gate. All times follow from one: a message that was kept must still be there when the gate
 * finds out that it had not heard of a watcher.
 *
 *     a watcher comes at 0; the gate suppresses what is published from then on
 *     2 s    the server calls the feed too far behind, and no heartbeat is written any more
 *     4 s    the last heartbeat is no longer valid: every channel is unknown
 *     4.5 s  the next tick sends what is kept
 *     5 s    what was kept at 0 is given up
 */
export interface Settings {
  /** How long a suppressed message is kept. */
  readonly lagWindowMs: number;
  /** How far the server's clock may be off when `occurredMs` is compared with the time of a message. */
  readonly skewMs: number;
  /** The server is asked for its position that often. */
  readonly askEveryMs: number;
  /** A feed that is further behind proves nothing. */
  readonly maxBehindMs: number;
  /** A heartbeat proves that much, counted from when its question was asked. */
  readonly validityMs: number;
  readonly tickMs: number;
  /** Who leads, of the workers that share a store, must say so again within it. */
  readonly leaderMs: number;
  /** What is kept is let go by the store itself after it. */
  readonly retentionMs: number;
  /** Who drains a channel must say so again within it, or another worker takes over. */
  readonly leaseMs: number;
  /** An answer of the store that takes longer counts as none. */
  readonly storeTimeoutMs: number;
  /** The newest messages of one channel that are kept. */
  readonly maxChannelMessages: number;
  readonly maxChannelBytes: number;
  /** What may wait behind a drain, with what was kept: so an arrival alone leaves no channel full. */
  readonly maxQueueMessages: number;
  readonly maxQueueBytes: number;
  /** What is kept of all channels together. */
  readonly maxTotalBytes: number;
}

type Bounds = {
  readonly [Name in "maxChannelMessages" | "maxChannelBytes" | "maxTotalBytes"]?: number | undefined;
};

const DEFAULT_LAG_WINDOW_MS = 5_000;
const MIN_STORE_TIMEOUT_MS = 100; // ours: a busy Redis is not one that is away
const MAX_CHANNEL_MESSAGES = 1_000; // ours: 200 a second for the whole window
const MAX_CHANNEL_BYTES = 1_048_576; // ours: a hundred of the largest events
const MAX_TOTAL_BYTES = 67_108_864; // ours: 64 MiB, 13 MB a second for the whole window

/** Hosted services tell no position: what they said last is then valid for ever. */
export const FOR_EVER_MS = 1e15;

export function settingsFor(lagWindowMs = DEFAULT_LAG_WINDOW_MS, bounds: Bounds = {}): Settings {
  const { maxChannelMessages = MAX_CHANNEL_MESSAGES, maxChannelBytes = MAX_CHANNEL_BYTES } = bounds;
  return {
    lagWindowMs,
    skewMs: lagWindowMs / 5,
    askEveryMs: lagWindowMs / 5,
    maxBehindMs: (lagWindowMs * 2) / 5,
    validityMs: (lagWindowMs * 2) / 5,
    tickMs: lagWindowMs / 10,
    leaderMs: (lagWindowMs * 3) / 10,
    retentionMs: (lagWindowMs * 3) / 2,
    leaseMs: lagWindowMs * 2,
    storeTimeoutMs: Math.max(lagWindowMs / 5, MIN_STORE_TIMEOUT_MS),
    maxChannelMessages,
    maxChannelBytes,
    maxQueueMessages: 2 * maxChannelMessages,
    maxQueueBytes: 2 * maxChannelBytes,
    maxTotalBytes: bounds.maxTotalBytes ?? MAX_TOTAL_BYTES,
  };
}
