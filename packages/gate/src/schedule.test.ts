import { describe, expect, test } from "bun:test";
import { redisProgram, useRedis } from "../../../test/support/redis.ts";
import { memoryStore } from "./memory/memory-store.ts";
import { type RedisCommands, redisCommands } from "./redis/commands.ts";
import { redisStore } from "./redis/redis-store.ts";
import { Chance } from "./testing/chance.ts";
import { ManualTime, turns } from "./testing/manual-time.ts";
import { Stage, type StageParts } from "./testing/stage.ts";

const STEP_MS = 50;
const STEPS = 1_200;
const TIMEOUT_MS = 60_000; // on a busy machine

/** EARSHOT_SCHEDULE_SEED=7 plays that one. */
const oneSeed = process.env["EARSHOT_SCHEDULE_SEED"];
const seedsOf = (from: number, count: number) =>
  oneSeed === undefined ? Array.from({ length: count }, (_, index) => from + index) : [Number(oneSeed)];

interface Result {
  readonly problems: string[];
  /** Events that watchers had to hear. */
  readonly due: number;
  /** Of the calls, those that were published. */
  readonly share: number;
}

/** Plays a minute: watchers, webhooks and faults as the seed has them. */
async function play(parts: StageParts, deleteSet?: () => Promise<unknown>): Promise<Result> {
  const { chance, time, channels } = parts;
  const stage = new Stage(parts);
  await stage.start();
  let deadUntilMs = 0;
  let silentUntilMs = 0;
  for (let step = 0; step < STEPS; step++) {
    const nowMs = time.monotonicMs();
    for (const [index, channel] of channels.entries()) {
      const [leaves, comes] = index === 0 ? [0.002, 0.002] : [0.005, 0.008]; // one is calm, the others are not
      if (chance.isSo(stage.isWatched(channel) ? leaves : comes)) stage.toggle(channel);
    }
    if (chance.isSo(0.0008)) deadUntilMs = nowMs + chance.between(1_000, 15_000);
    if (chance.isSo(0.0008)) silentUntilMs = nowMs + chance.between(500, 6_000);
    if (deleteSet !== undefined && chance.isSo(0.0015)) await deleteSet();
    if (parts.mayKill && chance.isSo(0.002)) stage.kill();
    stage.isEndpointDead = nowMs < deadUntilMs;
    stage.setSilent(nowMs < silentUntilMs);
    stage.look();
    await time.advance(STEP_MS);
  }
  stage.end();
  await time.advance(40_000);
  return { problems: stage.problems(), due: stage.due, share: stage.published / stage.calls };
}

async function playAll(seeds: number[], playOne: (seed: number) => Promise<Result>): Promise<void> {
  const results: Result[] = [];
  for (const seed of seeds) {
    const result = await playOne(seed);
    expect({ seed, problems: result.problems }).toEqual({ seed, problems: [] });
    results.push(result);
  }
  // A gate that lets everything pass would have no problems either.
  expect(results.reduce((sum, { due }) => sum + due, 0)).toBeGreaterThan(0);
  expect(Math.min(...results.map(({ share }) => share))).toBeLessThan(0.85);
}

describe("random schedules of watchers, late and repeated webhooks, and faults", () => {
  test(
    "with one process and its memory, nobody misses anything or hears it in the wrong order",
    () =>
      playAll(seedsOf(1, 10), (seed) =>
        play({
          time: new ManualTime(),
          chance: new Chance(seed),
          workers: 1,
          channels: ["a", "b", "c"],
          store: () => memoryStore(),
          mayKill: false,
        }),
      ),
    TIMEOUT_MS,
  );

  const redis = useRedis();
  test.skipIf(redisProgram === undefined)(
    "with four workers on one Redis neither, when its set is deleted and workers die",
    async () => {
      const client = new Bun.RedisClient(redis.server.url);
      await playAll(seedsOf(101, 4), (seed) => {
        const key = `schedule-${seed}`;
        const commands = new WatchedCommands(redisCommands(client));
        const time = new ManualTime(() => commands.quiet());
        const nowMs = () => time.wallMs();
        const store = (isDead: () => boolean) => redisStore(commands.until(isDead), { key, nowMs });
        const chance = new Chance(seed);
        return play({ time, chance, workers: 4, channels: ["a", "b"], store, mayKill: true }, () =>
          client.del(key),
        );
      });
      client.close();
    },
    TIMEOUT_MS,
  );
});

/** Knows when no command is under way. */
class WatchedCommands {
  readonly #commands: RedisCommands;
  #underWay = 0;

  constructor(commands: RedisCommands) {
    this.#commands = commands;
  }

  /** The commands of one process: they end with it. */
  until(isDead: () => boolean): RedisCommands {
    const run = async (start: () => Promise<unknown>): Promise<unknown> => {
      if (isDead()) return new Promise(() => {});
      this.#underWay++;
      try {
        return await start();
      } finally {
        this.#underWay--;
      }
    };
    return {
      runScript: (script, keys, args) => run(() => this.#commands.runScript(script, keys, args)),
      runScriptBySha: (sha, keys, args) => run(() => this.#commands.runScriptBySha(sha, keys, args)),
    };
  }

  async quiet(): Promise<void> {
    await turns(2);
    while (this.#underWay > 0) await turns(2);
  }
}
