/**
 * Every limit of the protocol, with its unit, its default and where the number comes from.
 * An app may set its own value for each of them, between `min` and `max`.
 *
 * @see docs/protocol/limits.md
 */

export type LimitUnit = "connections" | "characters" | "bytes" | "items" | "per second" | "seconds";

export interface LimitRow {
  readonly unit: LimitUnit;
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly doc: string;
  readonly source: string;
}

export const LIMITS = {
  maxConnections: {
    unit: "connections",
    default: 0,
    min: 0,
    max: 10_000_000,
    doc: "Connections that the app may hold at once; 0 means no limit.",
    source: "ours: hosted plans have one, a self-hosted app need not",
  },
  maxSubscriptionsPerConnection: {
    unit: "items",
    default: 10_000,
    min: 1,
    max: 1_000_000,
    doc: "Channels that one connection may be subscribed to at once.",
    source: "ours: the service states none; bounds the memory of one connection",
  },
  maxFrameBytes: {
    unit: "bytes",
    default: 81_920,
    min: 1_024,
    max: 1_000_000,
    doc: "One message from a client, as UTF-8. Must leave room for maxEventBytes written with JSON escapes.",
    source: "ours: six bytes of escape for each of 10,240 data bytes, and room for the names",
  },
  maxChannelNameChars: {
    unit: "characters",
    default: 200,
    min: 1,
    max: 200,
    doc: "Length of a channel name, prefix included.",
    source: "official back-end libraries allow 200 (the documentation says 164)",
  },
  maxEventNameChars: {
    unit: "characters",
    default: 200,
    min: 1,
    max: 1_000,
    doc: "Length of an event name.",
    source: "official back-end libraries",
  },
  maxEventBytes: {
    unit: "bytes",
    default: 10_240,
    min: 1,
    max: 1_000_000,
    doc: "The data of one event, as UTF-8 bytes of the string that subscribers receive.",
    source: "official documentation: 10 KB",
  },
  maxChannelsPerEvent: {
    unit: "items",
    default: 100,
    min: 1,
    max: 10_000,
    doc: "Channels that one publish may name.",
    source: "official documentation",
  },
  maxBatchEvents: {
    unit: "items",
    default: 10,
    min: 1,
    max: 1_000,
    doc: "Events in one batch publish.",
    source: "official documentation",
  },
  maxPresenceMembers: {
    unit: "items",
    default: 100,
    min: 1,
    max: 100_000,
    doc: "Distinct users on one presence channel.",
    source: "official documentation",
  },
  maxMemberBytes: {
    unit: "bytes",
    default: 1_024,
    min: 1,
    max: 100_000,
    doc: "The user_info of one member, as UTF-8 bytes of JSON.",
    source: "official documentation: user object of 1 KB",
  },
  maxUserIdChars: {
    unit: "characters",
    default: 128,
    min: 1,
    max: 1_000,
    doc: "Length of a user id.",
    source: "official documentation",
  },
  maxWatchlist: {
    unit: "items",
    default: 100,
    min: 1,
    max: 10_000,
    doc: "Users that one connection may watch; of a longer watchlist the first ones are used.",
    source: "official documentation",
  },
  authorizationTimeoutSeconds: {
    unit: "seconds",
    default: 0,
    min: 0,
    max: 86_400,
    doc: "How long a connection may live that neither signs in nor subscribes to a private or presence channel; 0 means for ever.",
    source: "ours: an option of the app; the documentation states no number",
  },
  maxClientEventsPerSecond: {
    unit: "per second",
    default: 10,
    min: 1,
    max: 100_000,
    doc: "Client events that one connection may send within a second.",
    source: "official documentation",
  },
  cacheTtlSeconds: {
    unit: "seconds",
    default: 1_800,
    min: 1,
    max: 86_400,
    doc: "How long the last event of a cache channel is remembered.",
    source: "official documentation: up to 30 minutes",
  },
} as const satisfies Record<string, LimitRow>;

export type LimitName = keyof typeof LIMITS;
export type Limits = Readonly<Record<LimitName, number>>;

export const LIMIT_NAMES = Object.keys(LIMITS) as LimitName[]; // the table's own keys

/** The documented defaults, one number a limit. */
export const DEFAULT_LIMITS: Limits = Object.freeze(
  Object.fromEntries(LIMIT_NAMES.map((name) => [name, LIMITS[name].default])) as Record<LimitName, number>,
);

/** An API request is refused when its timestamp is this far away, or farther. @see docs/protocol/http-api.md */
export const MAX_TIMESTAMP_SKEW_SECONDS = 600; // reference implementation of the request signature

/** Above this many subscribers, subscription counts are announced at most once per `SUBSCRIPTION_COUNT_PAUSE_MS`. */
export const SUBSCRIPTION_COUNT_EAGER_MAX = 100; // official documentation
export const SUBSCRIPTION_COUNT_PAUSE_MS = 5_000; // official documentation

/** The highest number that a quota may allow a channel, whether a rule of the app or a signed `channel_data` sets it. */
export const MAX_QUOTA_SUBSCRIPTIONS = 1_000_000; // ours: a quota that is never reached is none
