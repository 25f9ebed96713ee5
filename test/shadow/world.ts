/** The stage of every episode: few channels and users, so that they come and go often; times at a twentieth. */
import { WEBHOOK_NAMES, type WebhookName } from "@earshot/protocol/webhook";
import { TWENTIETH, twentieth } from "../support/twentieth.ts";
import { FAULTS, type Fault } from "./step.ts";

export const CHANNELS: readonly [string, ...string[]] = [
  "news",
  "cache-price",
  "private-orders",
  "private-user-7",
  "private-encrypted-notes",
  "presence-room",
  "presence-hall",
  "presence-cache-desk",
];

const USERS: readonly [string, ...string[]] = ["u-1", "u-2", "7", "Zoë", "__proto__"];

export const CLIENTS = 30;

/** Several devices of each user. */
export function userOf(client: number): string {
  return USERS[client % USERS.length] ?? USERS[0];
}

export function hasMembers(channel: string): boolean {
  return channel.startsWith("presence-");
}

/** Milliseconds. */
export const TIMES = {
  vacatedDelay: TWENTIETH["occupancy-vacated-delay-ms"],
  settle: TWENTIETH["occupancy-settle-ms"],
  timeout: TWENTIETH["webhooks-timeout-ms"],
} as const;

/** An endpoint of the app. */
export interface EndpointPlan {
  readonly name: string;
  readonly events: readonly WebhookName[];
  readonly prefix: string;
  readonly batch: boolean;
  /** It is there from the start. */
  readonly isFirst: boolean;
}

export const ENDPOINTS: readonly EndpointPlan[] = [
  {
    name: "everything",
    events: WEBHOOK_NAMES,
    prefix: "",
    batch: true,
    isFirst: true,
  },
  {
    name: "rooms",
    events: ["channel_occupied", "channel_vacated", "member_added", "member_removed"],
    prefix: "presence-",
    batch: false,
    isFirst: true,
  },
  {
    name: "added later",
    events: ["channel_occupied", "channel_vacated", "member_added", "member_removed", "cache_miss"],
    prefix: "p",
    batch: true,
    isFirst: false,
  },
];

/** What the readers of the occupancy stream look at. */
export const STREAM_PREFIXES: readonly string[] = ["", "presence-"];

/** Of an episode, where nobody says otherwise. */
export const STEPS = 2_000;

/** What makes one seed's world unlike another's. */
export interface Weather {
  /** Patience with a receiver that refuses: longer than any fault, or shorter than most. */
  readonly poisonMs: number;
  readonly maxWaiting: number;
  readonly faults: readonly [Fault, ...Fault[]];
  readonly maxFaultMs: number;
}

const CALM: Weather = { poisonMs: 15_000, maxWaiting: 1_000_000, faults: FAULTS, maxFaultMs: 1_500 };

/** In two of four worlds nothing may be given up; in the others batches are poisonous, or too many wait. */
export function weatherOf(seed: number): Weather {
  if (seed % 4 === 2)
    return { ...CALM, poisonMs: 150, faults: ["400", "400", "anything"], maxFaultMs: 3_000 };
  if (seed % 4 === 3) return { ...CALM, maxWaiting: 100 };
  return CALM;
}

/** Nothing that is written down may be missing at a receiver. */
export function isCalm({ poisonMs, maxWaiting }: Weather): boolean {
  return poisonMs > 1_000 && maxWaiting > 1_000;
}

export function flagsOf({ poisonMs, maxWaiting }: Weather): string[] {
  return twentieth({
    "webhooks-poison-ms": poisonMs,
    "webhooks-max-waiting": maxWaiting,
    "shutdown-grace-seconds": 1,
  });
}
