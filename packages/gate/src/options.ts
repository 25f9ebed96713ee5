import { GateError } from "./gate-error.ts";
import type { Publisher, Token } from "./publisher.ts";
import type { OpenStream } from "./signed-stream.ts";
import type { GateStore } from "./store.ts";
import type { Time } from "./time.ts";

export interface GateOptions {
  /** An instance of the official `pusher` library, set up for the app. */
  readonly pusher: Publisher;
  /**
   * How the gate hears of watchers.
   * - `webhooks`: an endpoint of the app sends `channel_occupied` and `channel_vacated` to `receiver()` or `nodeReceiver()`.
   * - `stream`: the gate reads the occupancy stream of the server; nothing has to be set up.
   */
  readonly feed: "webhooks" | "stream";
  /** Where what is known is kept: `memoryStore()` unless given, or `redisStore(client)`. */
  readonly store?: GateStore | undefined;
  /**
   * With webhooks: the id or the URL of the endpoint that leads here, as `earshot webhooks list` shows it. Unless given, all
   * endpoints that are told of occupied and vacated channels count: one that does not answer then opens this gate too.
   */
  readonly endpoint?: string | undefined;
  /**
   * - `checked`, unless given: the server is asked every second how far behind the gate is.
   * - `trusted`: for services that cannot be asked, such as the hosted one. What their webhooks say is believed, and what they
   *   fail to deliver is missed.
   */
  readonly freshness?: "checked" | "trusted" | undefined;
  /** Only channels whose name begins with it are gated, and all others sent. With webhooks: the endpoint's own filter. */
  readonly prefix?: string | undefined;
  /** Other keys of the app with which webhooks may be signed, for the days on which keys are changed. */
  readonly tokens?: readonly Token[] | undefined;
  /**
   * How long a suppressed message is kept, in milliseconds; 5000 unless given. All other times follow from it: after four
   * fifths of it without proof that everything was heard, everything is sent.
   */
  readonly lagWindowMs?: number | undefined;
  /** Of one channel, the newest messages that are kept; 1000 unless given. Behind a drain, twice as many may wait. */
  readonly maxChannelMessages?: number | undefined;
  /** The same in bytes; 1048576 unless given. */
  readonly maxChannelBytes?: number | undefined;
  /** Bytes that are kept of all channels; 67108864 unless given. What has no room is sent. */
  readonly maxTotalBytes?: number | undefined;
  /** What the server's metrics call this gate; the key of the Redis set, or the machine's name, unless given. */
  readonly name?: string | undefined;
  /** Told what goes wrong beside the calls. Unless given, it is written to standard error, the same line once a minute. */
  readonly onError?: ((error: GateError) => void) | undefined;
  /** How the occupancy stream is requested, where the address that `pusher` is set up with does not do, and in tests. */
  readonly openStream?: OpenStream | undefined;
  /** The clock and its timers, in tests. */
  readonly time?: Time | undefined;
}

const PREFIX = /^[-A-Za-z0-9_=@,.;]*$/; // it is sent in a query, which the library does not escape
const MIN_LAG_WINDOW_MS = 50; // ours: tests run at a hundredth
const MAX_LAG_WINDOW_MS = 600_000; // ours

/** @throws GateError saying what does not fit, and what would */
export function checkOptions(options: GateOptions): void {
  const { feed, freshness = "checked", lagWindowMs } = options;
  if (typeof options.pusher?.trigger !== "function")
    throw invalid("pusher is missing: pass an instance of the pusher library");
  if (feed !== "webhooks" && feed !== "stream")
    throw invalid(`feed is ${String(feed)}: say "webhooks" or "stream"`);
  if (freshness !== "checked" && freshness !== "trusted") {
    throw invalid(`freshness is ${String(freshness)}: say "checked" or "trusted"`);
  }
  if (feed === "stream" && freshness === "trusted")
    throw invalid("only webhooks can be trusted: the stream is always checked");
  const { prefix = "" } = options;
  if (!PREFIX.test(prefix)) throw invalid(`prefix is '${prefix}': use what a channel's name may have`);
  if (lagWindowMs === undefined) return;
  if (lagWindowMs >= MIN_LAG_WINDOW_MS && lagWindowMs <= MAX_LAG_WINDOW_MS) return;
  throw invalid(
    `lagWindowMs is ${lagWindowMs}: take ${MIN_LAG_WINDOW_MS} to ${MAX_LAG_WINDOW_MS} milliseconds`,
  );
}

function invalid(why: string): GateError {
  return new GateError("options_invalid", `createGate: ${why}`);
}
