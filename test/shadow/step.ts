/** One step of a schedule. Clients and endpoints are named by their place in the world's lists. */
export type Step =
  | { readonly do: "connect"; readonly client: number; readonly afterMs: number }
  | { readonly do: "subscribe"; readonly client: number; readonly channel: string }
  | { readonly do: "unsubscribe"; readonly client: number; readonly channel: string }
  | { readonly do: "disconnect"; readonly client: number; readonly how: "close" | "kill" }
  | { readonly do: "say"; readonly client: number; readonly channel: string }
  | { readonly do: "wait"; readonly ms: number }
  | {
      readonly do: "restart";
      readonly how: "stop" | "kill";
      readonly downMs: number;
      readonly returns: readonly Return[];
    }
  | { readonly do: "fault"; readonly endpoint: number; readonly fault: Fault; readonly ms: number }
  | { readonly do: "add endpoint"; readonly endpoint: number }
  /** Disabled, and enabled again after some time. */
  | { readonly do: "pause endpoint"; readonly endpoint: number; readonly ms: number }
  | { readonly do: "break stream"; readonly stream: number }
  /** Everybody waits until nothing waits, then views are compared. */
  | { readonly do: "rest" };

/** A client that comes back after a restart, and where it subscribes again. */
export interface Return {
  readonly client: number;
  readonly afterMs: number;
  readonly channels: readonly string[];
}

export const FAULTS: readonly [Fault, ...Fault[]] = [
  "500",
  "429",
  "400",
  "302",
  "late",
  "down",
  "hangs up",
  "loses the answer",
  "breaks off the answer",
  "anything",
];

/** What a receiver does wrong for a while; "anything" is each of the others at random, and sometimes none. */
export type Fault =
  | "500"
  | "429"
  | "400"
  | "302"
  | "late"
  | "down"
  | "hangs up"
  | "loses the answer"
  | "breaks off the answer"
  | "anything";

/** Who is where when all steps are done. */
export interface Truth {
  /** Channels by client; undefined for a client that is not connected. */
  readonly subscribed: readonly (ReadonlySet<string> | undefined)[];
}
