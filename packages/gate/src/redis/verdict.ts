import type { Counters } from "../counters.ts";
import type { Verdict } from "../store.ts";
import { numberOf } from "./reply.ts";

/** Reads what offer.lua returns. */
export function readVerdict([state, waiting, isUnclaimed, isUnknown]: readonly unknown[]): Verdict {
  switch (state) {
    case "draining":
      return {
        state,
        waiting: numberOf(waiting),
        isUnclaimed: numberOf(isUnclaimed) === 1,
        isUnknown: numberOf(isUnknown) === 1,
      };
    case "full":
      return { state, waiting: numberOf(waiting) };
    case "member":
    case "absent":
      return { state };
    default: // unknown, or late
      return { state: "unknown" };
  }
}

/** Told to Redis with the next tick: a message that is left out costs it no more than it must. */
export function countsOf(verdict: Verdict): Partial<Counters> {
  switch (verdict.state) {
    case "member":
      return { sent: 1 };
    case "absent":
      return { saved: 1 };
    case "unknown":
      return { sent: 1, failedOpen: 1 };
    case "draining":
      return verdict.isUnknown ? { sent: 1, failedOpen: 1 } : { sent: 1 };
    case "full":
      return {};
  }
}
