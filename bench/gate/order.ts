import type { Target } from "../load/target.ts";
import type { SentTick, Session } from "./judgement.ts";
import type { TickPlan } from "./tick-schedule.ts";
import type { Visit } from "./visits.ts";

/** How a worker finds out whether somebody watches. */
export type GateParts =
  /** A Redis set that webhooks feed, which come to the endpoint with this id. */
  | { readonly store: "redis"; readonly redisUrl: string; readonly endpoint: string }
  /** Its own memory, fed by the server's occupancy stream. */
  | { readonly store: "memory" };

/** What a worker does with its ticks. "nothing": what the bench itself costs. */
export type Publishing =
  | { readonly by: "nothing" | "pusher" }
  | { readonly by: "gate"; readonly parts: GateParts };

/** What the bench asks of a process that plays encoders. */
export type EncoderOrder =
  | { readonly order: "set up"; readonly target: Target; readonly publishing: Publishing }
  /** Sends the ticks of its share of the channels from `startMs` (Unix milliseconds) on; answers at once. */
  | {
      readonly order: "begin";
      readonly plan: TickPlan;
      readonly share: { readonly index: number; readonly of: number };
      readonly startMs: number;
    }
  /** Waits for the last tick. */
  | { readonly order: "finish" };

export interface EncoderReport {
  readonly ticks: readonly SentTick[];
  readonly firstFailure: string | undefined;
  /** The most that a tick came later than planned. */
  readonly latestMs: number;
  /** What this process's gate did; undefined without one. */
  readonly counters: GateCounters | undefined;
}

export interface GateCounters {
  readonly sent: number;
  readonly saved: number;
  readonly caughtUp: number;
  readonly failedOpen: number;
}

export interface EncoderReplies {
  readonly "set up": null;
  readonly begin: null;
  readonly finish: EncoderReport;
}

/** What the bench asks of the process that holds the viewers. */
export type AudienceOrder =
  | {
      readonly order: "attend";
      readonly target: Target;
      readonly visits: readonly Visit[];
      readonly startMs: number;
    }
  /** Channels that somebody is subscribed to now. */
  | { readonly order: "watched" }
  /** Ends what is still open. */
  | { readonly order: "finish" };

export interface AudienceReport {
  readonly sessions: readonly Session[];
  /** Visits that could not subscribe, or whose connection the server ended. */
  readonly failed: number;
  readonly firstFailure: string | undefined;
}

export interface AudienceReplies {
  readonly attend: null;
  readonly watched: readonly number[];
  readonly finish: AudienceReport;
}

/** How the receiver treats the webhooks that reach it. */
export type Treatment = "takes" | "is down" | "doubles and swaps";

/** What the bench asks of the process that receives webhooks for the gate. */
export type ReceiverOrder =
  /** Before the server is told of the endpoint: it must have a URL. */
  | { readonly order: "listen" }
  /** From now on what comes is handed to the gate. */
  | { readonly order: "feed"; readonly target: Target; readonly parts: GateParts }
  | { readonly order: "treat"; readonly as: Treatment }
  | { readonly order: "report" };

export interface ReceiverReport {
  readonly requests: number;
  readonly events: number;
  readonly bytes: number;
  readonly doubled: number;
  readonly swapped: number;
  /** Not applied although they had been answered with 200: a fault of the bench, not of the gate. */
  readonly refusedLate: number;
  readonly counters: GateCounters | undefined;
}

export interface ReceiverReplies {
  readonly listen: { readonly url: string };
  readonly feed: null;
  readonly treat: null;
  readonly report: ReceiverReport;
}
