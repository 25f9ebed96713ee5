import type { GatherReport } from "./crowd.ts";
import type { Target } from "./target.ts";

/** What the bench asks of the load process, one order at a time, and what it hears back. */
export type Order =
  | { readonly order: "target"; readonly target: Target }
  | {
      readonly order: "gather";
      readonly count: number;
      /** One channel for all, or a prefix to which each subscriber's number is added. */
      readonly channel: string;
      readonly ownChannels: boolean;
      readonly concurrency: number;
      readonly inbox: "counting" | "latency";
      /** So many of the counting subscribers read what they get and compare it. */
      readonly samples: number;
    }
  | { readonly order: "disperse" }
  /** What came since the last such order. */
  | { readonly order: "received" }
  /** From now on read only so often, many frames at once: a crowd that costs little beside a few that are timed. */
  | { readonly order: "nap"; readonly ms: number }
  | { readonly order: "prepare"; readonly channel: string; readonly count: number; readonly bytes: number }
  | { readonly order: "publish"; readonly inFlight: number; readonly forMs: number }
  | { readonly order: "pace"; readonly perSecond: number; readonly lanes: number };

export interface Delivery {
  readonly accepted: number;
  readonly refused: number;
  readonly firstRefusal: string | undefined;
  readonly subscribers: number;
  readonly due: number;
  readonly delivered: number;
  /** Sampled events that differed from what was published or came twice. */
  readonly wrong: number;
  /** Subscribers whose connection the server ended. */
  readonly closed: number;
  /** From the first request to the last delivery. */
  readonly wallMs: number;
}

export interface Latency extends Delivery {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface Replies {
  readonly target: null;
  readonly gather: GatherReport;
  readonly disperse: null;
  readonly received: { readonly delivered: number; readonly closed: number };
  readonly nap: null;
  readonly prepare: null;
  readonly publish: Delivery;
  readonly pace: Latency;
}
