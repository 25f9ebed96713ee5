import { randomUUID } from "node:crypto";
import type { Change } from "../change.ts";
import { addCounts, type Counters, NO_COUNTS, subtractCounts } from "../counters.ts";
import { GateError } from "../gate-error.ts";
import { FOR_EVER_MS, type Settings } from "../settings.ts";
import type { Done, GateStore, Next, Proof, Pulse, Store, StoreContext, Verdict } from "../store.ts";
import { type Time, within } from "../time.ts";
import { type RedisCommands, redisCommands } from "./commands.ts";
import { Keys } from "./keys.ts";
import { listOf, numberOf, textOf, textsOf } from "./reply.ts";
import { run, SCRIPTS, type Script } from "./script.ts";
import { countsOf, readVerdict } from "./verdict.ts";

const DEFAULT_KEY = "pusher:channels";
const QUEUE_TTL_MS = 600_000; // ours: what nobody has sent for ten minutes is no news any more
const CHANNELS_AT_ONCE = 500; // ours: one script holds up Redis for a few milliseconds at most

export interface RedisStoreOptions {
  /** The key of the set of occupied channels; "pusher:channels" unless given. All other keys begin with `{KEY}:`. */
  readonly key?: string;
  /** In tests: the clock, instead of the one of Redis. */
  readonly nowMs?: () => number;
}

/**
 * Keeps what is known in a Redis set, and beside it what the gate needs, for any number of workers.
 *
 * @param client of `ioredis`, of `redis` or of Bun; it stays the caller's, who closes it after the gate
 */
export function redisStore(client: object, options: RedisStoreOptions = {}): GateStore {
  const commands = redisCommands(client);
  return { open: (context) => new RedisStore(commands, context, options) };
}

/** @see Store for the guarantees */
class RedisStore implements Store {
  readonly name: string;
  readonly #commands: RedisCommands;
  readonly #keys: Keys;
  readonly #settings: Settings;
  readonly #time: Time;
  readonly #validityMs: number;
  readonly #nowMs: (() => number) | undefined;
  readonly #announces: () => boolean;
  readonly #worker = randomUUID();
  /** The clock of Redis less this process's monotonic one. */
  #clockOffsetMs: number | undefined;
  #newestSeen = "0";
  /** What Redis has not been told yet. */
  #untold = NO_COUNTS;
  #totals = NO_COUNTS;

  constructor(commands: RedisCommands, context: StoreContext, options: RedisStoreOptions = {}) {
    this.#commands = commands;
    this.name = options.key ?? DEFAULT_KEY;
    this.#keys = new Keys(this.name);
    this.#settings = context.settings;
    this.#time = context.time;
    this.#announces = context.announces;
    this.#validityMs = context.isTrusted ? FOR_EVER_MS : context.settings.validityMs;
    this.#nowMs = options.nowMs;
  }

  async offer(channel: string, text: string): Promise<Verdict> {
    const settings = this.#settings;
    const times = [settings.lagWindowMs, settings.retentionMs, QUEUE_TTL_MS];
    const kept = [settings.maxChannelMessages, settings.maxChannelBytes, settings.maxTotalBytes];
    const queued = [settings.maxQueueMessages, settings.maxQueueBytes];
    const options = [this.#latest(), ...times, ...kept, ...queued];
    const reply = await this.#run(SCRIPTS.offer, [channel], [channel, text, ...options]);
    const verdict = readVerdict(listOf(reply));
    this.count(countsOf(verdict));
    return verdict;
  }

  async apply(changes: readonly Change[]): Promise<readonly string[]> {
    const told = changes.map((change) => ({ change, what: whatOf(change) }));
    const drained: string[] = [];
    for (let at = 0; at < told.length; at += CHANNELS_AT_ONCE) {
      drained.push(...(await this.#apply(told.slice(at, at + CHANNELS_AT_ONCE))));
    }
    return drained;
  }

  async removeAbsent(channels: readonly string[], position: number): Promise<void> {
    for (let at = 0; at < channels.length; at += CHANNELS_AT_ONCE) {
      const some = channels.slice(at, at + CHANNELS_AT_ONCE);
      const told = some.map((channel) => ({
        change: { channel, isOccupied: false, version: position, occurredMs: 0 },
        what: "a",
      }));
      await this.#apply(told);
    }
  }

  async next(channel: string, done?: Done): Promise<Next> {
    const result = [done?.id ?? "", done?.isSent ? 1 : 0];
    const reply = await this.#run(SCRIPTS.next, [channel], [...this.#lease(), channel, ...result, 0]);
    const [kind, id, body] = textsOf(reply);
    if (kind === "over" || kind === "lost") return { kind };
    if (id === undefined || body === undefined) throw new Error(`next.lua returned ${kind} alone`);
    if (kind === "o") return { kind: "occupied", id, change: JSON.parse(body) as Change }; // written by #apply
    return { kind: "message", id, text: body, wasKept: kind === "k" };
  }

  async release(channel: string): Promise<void> {
    await this.#run(SCRIPTS.next, [channel], [...this.#lease(), channel, "", 0, 1]);
  }

  tick(): Promise<Pulse> {
    return this.#tick(this.#settings.leaderMs);
  }

  async beat({ askedMs, serverOffsetMs, repair }: Proof): Promise<boolean> {
    const ageMs = Math.round(this.#time.monotonicMs() - askedMs);
    const hasClocks = serverOffsetMs !== undefined && this.#clockOffsetMs !== undefined;
    const offset = hasClocks ? Math.round(serverOffsetMs - (this.#clockOffsetMs ?? 0)) : "";
    const reply = await this.#run(SCRIPTS.beat, [], [ageMs, offset, this.#newestSeen, repair ?? ""]);
    const [isFresh, newest] = textsOf(reply);
    this.#newestSeen = newest ?? "0";
    return isFresh === "1";
  }

  async beginRepair(): Promise<string> {
    const repair = randomUUID();
    await this.#run(SCRIPTS.beginRepair, [], [repair]);
    return repair;
  }

  async *members(): AsyncIterable<readonly string[]> {
    let cursor = "0";
    do {
      const [next, channels] = listOf(await this.#run(SCRIPTS.members, [], [cursor, CHANNELS_AT_ONCE]));
      yield textsOf(channels);
      cursor = textOf(next);
    } while (cursor !== "0");
  }

  async raiseFloor(position: number): Promise<void> {
    let cursor = "0";
    do {
      cursor = textOf(await this.#run(SCRIPTS.raiseFloor, [], [position, cursor, CHANNELS_AT_ONCE]));
    } while (cursor !== "0");
  }

  count(difference: Partial<Counters>): void {
    this.#untold = addCounts(this.#untold, difference);
  }

  totals(): Counters {
    return addCounts(this.#totals, this.#untold);
  }

  /** Other workers take over what is kept and what drains. */
  async close(): Promise<readonly string[]> {
    await this.#tick(0);
    return [];
  }

  async #tick(leaderMs: number): Promise<Pulse> {
    const told = this.#untold;
    const sentMs = this.#time.monotonicMs();
    const counts = [told.sent, told.saved, told.failedOpen];
    const reply = listOf(
      await this.#run(
        SCRIPTS.tick,
        [],
        [...this.#lease().slice(0, 3), leaderMs, CHANNELS_AT_ONCE, ...counts],
      ),
    );
    const [now, leads, fresh, sent, saved, caughtUp, failedOpen] = reply.slice(0, 7).map(numberOf);
    this.#untold = subtractCounts(this.#untold, told);
    this.#clockOffsetMs = (now ?? 0) - (sentMs + this.#time.monotonicMs()) / 2;
    this.#totals = {
      sent: sent ?? 0,
      saved: saved ?? 0,
      caughtUp: caughtUp ?? 0,
      failedOpen: failedOpen ?? 0,
    };
    const unclaimed = textsOf(reply[7]);
    const kept = textsOf(reply[8]);
    if (kept.length > 0) {
      const flushed = await this.#run(SCRIPTS.flush, kept, [
        QUEUE_TTL_MS,
        this.#settings.retentionMs,
        ...kept,
      ]);
      unclaimed.push(...textsOf(flushed));
    }
    return { isFresh: fresh === 1, isLeader: leads === 1, unclaimed };
  }

  async #apply(told: readonly { change: Change; what: string }[]): Promise<string[]> {
    const channels = told.map(({ change }) => change.channel);
    const args = told.flatMap(({ change, what }) => [
      change.channel,
      what,
      change.version,
      change.occurredMs,
      JSON.stringify(change),
    ]);
    const options = [...this.#lease(), this.#settings.skewMs];
    return textsOf(await this.#run(SCRIPTS.apply, channels, [...options, ...args]));
  }

  /** What scripts that take or give a drain want to know first. */
  #lease(): [worker: string, announces: number, leaseMs: number, ttlMs: number] {
    return [this.#worker, this.#announces() ? 1 : 0, this.#settings.leaseMs, QUEUE_TTL_MS];
  }

  /** A client that is cut off holds commands back and sends them later, when the caller has long done without. */
  #latest(): number | string {
    if (this.#clockOffsetMs === undefined) return "";
    return Math.round(this.#time.monotonicMs() + this.#clockOffsetMs + this.#settings.storeTimeoutMs);
  }

  #run(script: Script, channels: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const now = this.#nowMs === undefined ? "" : String(this.#nowMs());
    const texts = [now, String(this.#validityMs), ...args.map(String)];
    const { storeTimeoutMs } = this.#settings;
    return within(
      this.#time,
      storeTimeoutMs,
      run(this.#commands, script, this.#keys.with(...channels), texts),
      () => {
        throw new GateError(
          "store_unavailable",
          `Redis did not answer within ${storeTimeoutMs} ms; until it does, everything is sent`,
        );
      },
    );
  }
}

/** As apply.lua calls it. */
function whatOf({ isOccupied, isFromSnapshot }: Change): string {
  if (!isOccupied) return "v";
  return isFromSnapshot ? "s" : "o";
}
