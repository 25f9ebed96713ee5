/** The stage of every episode: few channels, so that they come and go often, and many workers on each; times at a fifth. */
import { twentieth } from "../support/twentieth.ts";

export const CHANNELS: readonly [string, ...string[]] = ["private-cloud-1", "private-cloud-2", "news"];
export const WATCHERS = ["Ada", "Ben", "Cleo", "Dan"] as const;
export const WORKERS = 4;

/** Of the gates, which have 5,000 ms in earnest: a fifth, because a busy machine may stand still for some 100 ms. */
export const LAG_WINDOW_MS = 1_000;

/** How long watchers come and go. */
export const LENGTH_MS = 4_000;

/** The longest pause of a worker between two events in a channel. */
export const PACE_MS = 60;

export const SERVER_FLAGS = twentieth({ "shutdown-grace-seconds": 1 });
