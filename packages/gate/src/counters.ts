/**
 * What became of the calls. `sent + saved` is the number of calls that did not fail; a call with several channels counts
 * once for each of them.
 */
export interface Counters {
  /** Published, or queued to be. */
  readonly sent: number;
  /** Not published, because nobody listened. One that is caught up later moves to `sent`. */
  readonly saved: number;
  /** Of the sent ones: kept first, and published when somebody turned out to listen. */
  readonly caughtUp: number;
  /** Of the sent ones: published because it was not known whether anybody listens. */
  readonly failedOpen: number;
}

export const NO_COUNTS: Counters = { sent: 0, saved: 0, caughtUp: 0, failedOpen: 0 };

export function addCounts(counters: Counters, difference: Partial<Counters>): Counters {
  return {
    sent: counters.sent + (difference.sent ?? 0),
    saved: counters.saved + (difference.saved ?? 0),
    caughtUp: counters.caughtUp + (difference.caughtUp ?? 0),
    failedOpen: counters.failedOpen + (difference.failedOpen ?? 0),
  };
}

export function subtractCounts(counters: Counters, told: Counters): Counters {
  return {
    sent: counters.sent - told.sent,
    saved: counters.saved - told.saved,
    caughtUp: counters.caughtUp - told.caughtUp,
    failedOpen: counters.failedOpen - told.failedOpen,
  };
}
