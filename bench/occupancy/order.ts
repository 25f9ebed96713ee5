import type { Target } from "../load/target.ts";
import type { Population } from "./turnover.ts";

/** What the bench asks of the process that holds the clients. */
export type CrowdOrder =
  | {
      readonly order: "gather";
      readonly target: Target;
      readonly population: Population;
      readonly connections: number;
    }
  | { readonly order: "turn"; readonly perSecond: number; readonly seconds: number };

export interface TurnReport {
  /** Since the gathering, turns that were not timed included. */
  readonly turned: number;
  /** From the frame that asks to the frame that says subscription_succeeded. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Subscribes that were not answered. */
  readonly unanswered: number;
  /** The most that a turn came later than planned. */
  readonly latestMs: number;
  readonly firstFailure: string | undefined;
}

export interface CrowdReplies {
  readonly gather: { readonly subscribed: number; readonly firstFailure: string | undefined };
  readonly turn: TurnReport;
}

/** What the bench asks of the process that receives the webhooks. */
export type ReceiverOrder =
  | { readonly order: "listen"; readonly key: string; readonly secret: string }
  /** Distinct events so far, the fewest of the two endpoints. */
  | { readonly order: "count" }
  | { readonly order: "begin timing" }
  | { readonly order: "report"; readonly occupied: number; readonly vacated: number };

export interface ReceiverReplies {
  readonly listen: { readonly urls: readonly string[] };
  readonly count: number;
  readonly "begin timing": null;
  readonly report: LogReport;
}

export interface LogReport {
  readonly delivered: number;
  /** Of both endpoints, against what the clients did. */
  readonly missing: number;
  readonly repeated: number;
  /** A version with two contents, or events of a channel that do not alternate, or that came in another order than their versions. */
  readonly wrong: number;
  /** Of channel_occupied, from `occurred_ms` to the arrival; what came since `begin timing`. */
  readonly p50LagMs: number;
  readonly p99LagMs: number;
  readonly requests: number;
  readonly badSignatures: number;
}
