import { SeededChance } from "../../packages/server/src/core/testing/seeded-chance.ts";
import type { Manner } from "./carrier.ts";
import { CHANNELS, LENGTH_MS, WATCHERS, WORKERS } from "./world.ts";

export interface Visit {
  readonly watcher: string;
  readonly channel: string;
  /** Milliseconds since the beginning. */
  readonly fromMs: number;
  /** Undefined for one that stays to the end. */
  readonly toMs: number | undefined;
  readonly leaves: "unsubscribe" | "close" | "kill";
}

/** What goes wrong. */
export type Fault = { readonly atMs: number } & (
  | {
      readonly do: "carrier";
      readonly manner: Exclude<Manner, "carries"> | "is down";
      readonly forMs: number;
    }
  | { readonly do: "delete set" }
  | { readonly do: "restart server"; readonly how: "stop" | "kill"; readonly downMs: number }
  | { readonly do: "restart redis"; readonly downMs: number }
  /** It stands still, with all its connections open. */
  | { readonly do: "freeze"; readonly what: "server" | "redis"; readonly forMs: number }
  | { readonly do: "kill worker"; readonly worker: number }
);

export interface Schedule {
  readonly visits: readonly Visit[];
  /** In order of time. */
  readonly faults: readonly Fault[];
}

const LEAVES = ["unsubscribe", "close", "kill"] as const;
const MANNERS = ["refuses", "is late", "is down", "doubles and swaps", "doubles and swaps"] as const;

type Kind = "carrier" | "set" | "server" | "redis" | "worker";

/** What goes wrong in a seed's world. In the first kind nothing dies, so there nothing is repeated and the counts are exact. */
const WEATHERS: readonly (readonly [Kind, ...Kind[]])[] = [
  ["carrier", "carrier", "set"],
  ["carrier", "server"],
  ["carrier", "set", "worker"],
  ["carrier", "redis"],
];

export function isDeathless(seed: number): boolean {
  return seed % WEATHERS.length === 0;
}

/** The same for the same seed. */
export function scheduleOf(seed: number): Schedule {
  const chance = new SeededChance(seed);
  return {
    visits: visitsOf(chance),
    faults: faultsOf(chance, WEATHERS[seed % WEATHERS.length] ?? ["carrier"]),
  };
}

/** Short ones and long ones, so that channels come and go; at the end the first channel is watched and the last is not. */
function visitsOf(chance: SeededChance): Visit[] {
  const visits: Visit[] = [];
  for (const watcher of WATCHERS) {
    for (let atMs = chance.integer(800); atMs < LENGTH_MS; ) {
      const [shortestMs, longestMs] = chance.pick([
        [20, 200],
        [200, 800],
        [800, 2_500],
      ]);
      const toMs = atMs + shortestMs + chance.integer(longestMs - shortestMs);
      const leaves = chance.pick(LEAVES);
      visits.push({ watcher, channel: chance.pick(CHANNELS), fromMs: atMs, toMs, leaves });
      atMs = toMs + 20 + chance.integer(1_000);
    }
  }
  const lastMs = LENGTH_MS - 200 - chance.integer(1_500);
  const stay = { fromMs: lastMs, toMs: undefined, leaves: "close" } as const;
  visits.push({ ...stay, watcher: "the last one", channel: CHANNELS[0] });
  return visits;
}

function faultsOf(chance: SeededChance, kinds: readonly [Kind, ...Kind[]]): Fault[] {
  const faults: Fault[] = [];
  for (let atMs = 200 + chance.integer(600); atMs < LENGTH_MS; ) {
    const kind = chance.pick(kinds);
    const isSecondDeath = kind === "worker" && faults.some((fault) => fault.do === "kill worker");
    const fault = isSecondDeath ? carrierFault(chance, atMs) : faultOf(chance, kind, atMs);
    faults.push(fault);
    atMs += ("forMs" in fault ? fault.forMs : 400) + chance.integer(800);
  }
  return faults;
}

function faultOf(chance: SeededChance, kind: Kind, atMs: number): Fault {
  switch (kind) {
    case "carrier":
      return carrierFault(chance, atMs);
    case "set":
      return { do: "delete set", atMs };
    case "server":
      if (chance.integer(2) === 0) return { do: "freeze", atMs, what: kind, forMs: chance.integer(1_000) };
      return { do: "restart server", atMs, how: chance.pick(["stop", "kill"]), downMs: chance.integer(400) };
    case "redis":
      if (chance.integer(2) === 0) return { do: "freeze", atMs, what: kind, forMs: chance.integer(500) };
      return { do: "restart redis", atMs, downMs: chance.integer(300) };
    case "worker":
      return { do: "kill worker", atMs, worker: 1 + chance.integer(WORKERS) };
  }
}

function carrierFault(chance: SeededChance, atMs: number): Fault {
  const manner = chance.pick(MANNERS);
  return { do: "carrier", atMs, manner, forMs: 100 + chance.integer(2_000) };
}
