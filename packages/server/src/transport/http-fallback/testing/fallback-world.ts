// biome-ignore-all lint/style/noRestrictedImports: shared by tests of the transport and by the fuzzer
import { LocalBus } from "#cluster/local/bus";
import type { Clock } from "#core/ports";
import { World, type WorldParts } from "#core/testing/world";
import type { Log } from "#observe/log";
import { NativeTopics } from "../../topics.ts";
import { FallbackSessions } from "../fallback-sessions.ts";
import { FallbackTopics } from "../fallback-topics.ts";
import { HttpFallback } from "../http-fallback.ts";

const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT,
};

/** Alarms that ring when a test moves the time. */
export class ManualAlarms {
  readonly #clock: Clock;
  readonly #set = new Set<{ readonly atMs: number; readonly act: () => void }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly later = (ms: number, act: () => void): (() => void) => {
    const alarm = { atMs: this.#clock.monotonicMs() + ms, act };
    this.#set.add(alarm);
    return () => this.#set.delete(alarm);
  };

  /** Rings those whose time has come. */
  ring(): void {
    for (const alarm of [...this.#set]) {
      if (alarm.atMs > this.#clock.monotonicMs() || !this.#set.delete(alarm)) continue;
      alarm.act();
    }
  }
}

export interface FallbackOptions {
  readonly maxWaitingBytes?: number;
  readonly maxQueuedMessages?: number;
  readonly topics?: FallbackTopics;
}

/** The fallback over a core with fake time. */
export function fallbackOf(world: World, options: FallbackOptions = {}) {
  const { apps, tallies, connections, sessionParts, clock } = world;
  const alarms = new ManualAlarms(clock);
  const sessions = new FallbackSessions({
    connections,
    sessionParts,
    topics: options.topics ?? new FallbackTopics(),
    maxWaitingBytes: options.maxWaitingBytes ?? 100_000,
    clock,
    later: alarms.later,
    log: SILENT,
  });
  const fallback = new HttpFallback({
    sessions,
    apps,
    tallies,
    maxBodyBytes: 10_000,
    maxQueuedMessages: options.maxQueuedMessages ?? 8,
  });
  return { fallback, sessions, alarms };
}

/** A core whose events reach fallback sessions. */
export function fallbackWorld(parts: WorldParts = {}, options: FallbackOptions = {}) {
  const fallbackTopics = new FallbackTopics();
  const topics = new NativeTopics(fallbackTopics);
  const world: World = new World({
    ...parts,
    bus: () =>
      new LocalBus({
        topics,
        findSocket: (appId, socketId) => world.connections.find(appId, socketId)?.socket,
        delivered: () => undefined,
      }),
  });
  return { world, topics: fallbackTopics, ...fallbackOf(world, { ...options, topics: fallbackTopics }) };
}
