import type { Counters } from "../../packages/gate/src/index.ts";
import type { GivenApp } from "../support/earshot.ts";
import type { Call } from "./judgement.ts";

/** The event that workers publish and watchers count. */
export const TICK = "tick";

export interface WorkerPlan {
  readonly worker: number;
  readonly seed: number;
  readonly app: GivenApp;
  readonly host: string;
  readonly port: number;
  readonly feed:
    | { readonly from: "webhooks"; readonly endpoint: string; readonly redisUrl: string }
    /** With a memory of its own. */
    | { readonly from: "stream" };
  readonly lagWindowMs: number;
  readonly channels: readonly string[];
  /** The longest pause between two calls on one channel. */
  readonly paceMs: number;
}

/** What the test asks of a process that works, in this order. */
export type WorkerOrder =
  | { readonly do: "work"; readonly plan: WorkerPlan }
  /** Ends each call that is under way, and begins no more. */
  | { readonly do: "rest" }
  | { readonly do: "close" };

/** What it tells. */
export type WorkerNews =
  | { readonly told: "working" }
  | { readonly told: "call"; readonly call: Call }
  /** A call that failed, and is repeated. */
  | { readonly told: "failure"; readonly why: string }
  /** An error that the gate reports. */
  | { readonly told: "complaint"; readonly code: string; readonly why: string }
  | { readonly told: "resting"; readonly counters: Counters }
  | { readonly told: "closed" };
