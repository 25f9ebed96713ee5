import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { redisProgram, useRedis } from "../../../../test/support/redis.ts";
import { settingsFor } from "../settings.ts";
import { applySnapshot } from "../snapshot.ts";
import { ManualTime } from "../testing/manual-time.ts";
import { type OpenStore, StoreWorld, storeConformance } from "../testing/store-conformance.ts";
import { redisStore } from "./redis-store.ts";

const run = test.skipIf(redisProgram === undefined);

describe("Redis store", () => {
  const redis = useRedis();
  let client: Bun.RedisClient;
  beforeAll(() => {
    if (redisProgram !== undefined) client = new Bun.RedisClient(redis.server.url);
  });
  afterAll(() => client?.close());

  const open: OpenStore = (context, key) =>
    redisStore(client, { key, nowMs: () => context.time.wallMs() }).open(context);

  storeConformance(open, true, run);

  run("the set holds the occupied channels, for workers that only ask SISMEMBER", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    await world.store.apply([world.occupied("a", 5), world.occupied("b", 6), world.vacated("b", 7)]);
    expect(await client.smembers(world.store.name ?? "")).toEqual(["a"]);
  });

  run(
    "a set that is deleted, emptied or filled by others makes everything unknown until it is repaired",
    async () => {
      const meddle: ((key: string) => Promise<unknown>)[] = [
        (key) => client.del(key),
        (key) => client.srem(key, "a"),
        (key) => client.sadd(key, "stranger"),
      ];
      for (const change of meddle) {
        const world = new StoreWorld(open);
        const key = world.store.name ?? "";
        await world.becomeFresh();
        await world.store.apply([world.occupied("a", 5), world.occupied("b", 6)]);
        await world.store.offer("c", "1");
        await change(key);
        expect((await world.store.offer("a", "1")).state).toBe("unknown");
        const pulse = await world.store.tick();
        expect(pulse).toMatchObject({ isFresh: false, unclaimed: ["c"] });
        expect(await world.store.beat(world.proof())).toBe(false);

        const repair = await world.store.beginRepair();
        await applySnapshot(
          world.store,
          {
            position: 10,
            occupied: [world.occupied("a", 5), world.occupied("b", 6)].map((row) => ({
              ...row,
              isFromSnapshot: true,
            })),
          },
          () => {},
        );
        expect(await world.store.beat({ ...world.proof(), repair })).toBe(true);
        expect((await client.smembers(key)).sort()).toEqual(["a", "b"]);
      }
    },
  );

  run("a Redis that goes back to what it held before is noticed by who saw more", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    await world.store.apply([world.occupied("a", 100)]);
    expect(await world.store.beat(world.proof())).toBe(true);
    await client.hset(`{${world.store.name}}:gate`, { newest: "99" });
    expect(await world.store.beat(world.proof())).toBe(false);
    expect((await world.store.offer("a", "1")).state).toBe("unknown");
  });

  run("everything is unknown after FLUSHALL", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    await world.store.apply([world.occupied("a", 5)]);
    await client.send("FLUSHALL", []);
    expect((await world.store.offer("a", "1")).state).toBe("unknown");
    expect(await world.store.beat(world.proof())).toBe(false);
  });

  run("without a clock of its own it goes by the one of Redis", async () => {
    const time = new ManualTime();
    const context = { settings: settingsFor(5_000), time, isTrusted: false, announces: () => false };
    const store = redisStore(client, { key: "own-clock" }).open(context);
    await store.tick();
    const repair = await store.beginRepair();
    const serverOffsetMs = Date.now() - time.monotonicMs();
    expect(await store.beat({ askedMs: time.monotonicMs(), serverOffsetMs, repair })).toBe(true);
    await store.offer("a", "1");
    await store.apply([{ channel: "a", isOccupied: true, version: 1, occurredMs: Date.now() }]);
    expect(await store.next("a")).toMatchObject({ text: "1" });
    for (const key of await client.keys("*own-clock*")) {
      if (key.includes(":messages:")) expect(await client.pttl(key)).toBeGreaterThan(500_000);
    }
    await store.offer("b", "1");
    expect(await client.pttl("{own-clock}:messages:b")).toBeWithin(1, 7_501);
  });

  run("a message that reaches Redis too late is not kept, since it was sent", async () => {
    const time = new ManualTime();
    let behindMs = 0;
    const context = { settings: settingsFor(5_000), time, isTrusted: false, announces: () => false };
    const store = redisStore(client, { key: "late", nowMs: () => time.wallMs() + behindMs }).open(context);
    await store.tick();
    const repair = await store.beginRepair();
    await store.beat({ askedMs: time.monotonicMs(), serverOffsetMs: 0, repair });
    behindMs = 1_001;
    expect((await store.offer("a", "1")).state).toBe("unknown");
    expect(await client.exists("{late}:messages:a")).toBe(false);
    behindMs = 0;
    await store.tick();
    expect(store.totals()).toEqual({ sent: 1, saved: 0, caughtUp: 0, failedOpen: 1 });
  });

  run("a snapshot of many channels replaces many others", async () => {
    const world = new StoreWorld(open);
    await world.becomeFresh();
    const names = (prefix: string) => Array.from({ length: 3_000 }, (_, index) => `${prefix}-${index}`);
    await world.store.apply(names("old").map((channel) => world.occupied(channel, 5)));
    const occupied = names("new").map((channel) => world.occupied(channel, 6));
    await applySnapshot(world.store, { position: 7, occupied }, () => {});
    const key = world.store.name ?? "";
    expect(await client.scard(key)).toBe(3_000);
    expect(await client.sismember(key, "old-7")).toBe(false);
    expect((await world.store.offer("new-2999", "1")).state).toBe("member");
    await world.store.raiseFloor(8);
    expect(await client.hlen(`{${key}}:versions`)).toBe(3_000);
  });
});
