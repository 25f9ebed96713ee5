import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Cluster, Redis } from "ioredis";
import { createClient, createCluster } from "redis";
import { redisProgram, useRedis } from "../../../../test/support/redis.ts";
import { until } from "../../../../test/support/until.ts";
import { GateError } from "../gate-error.ts";
import { settingsFor } from "../settings.ts";
import { systemTime } from "../time.ts";
import { redisCommands } from "./commands.ts";
import { redisStore } from "./redis-store.ts";

const run = test.skipIf(redisProgram === undefined);

/** A client, and how it is closed. */
interface Connected {
  readonly client: object;
  close(): unknown;
}

const CLIENTS: Record<string, (url: string) => Promise<Connected>> = {
  async ioredis(url) {
    const client = new Redis(url);
    return { client, close: () => client.disconnect() };
  },
  async redis(url) {
    const client = await createClient({ url }).connect();
    return { client, close: () => client.destroy() };
  },
  async Bun(url) {
    const client = new Bun.RedisClient(url);
    return { client, close: () => client.close() };
  },
  async "Bun, by the method that it has always had"(url) {
    const client = new Bun.RedisClient(url);
    return { client: { send: client.send.bind(client) }, close: () => client.close() };
  },
  async "an object of one's own"(url) {
    const client = new Bun.RedisClient(url);
    return { client: redisCommands(client), close: () => client.close() };
  },
};

const CLUSTER_CLIENTS: Record<string, (port: number) => Promise<Connected>> = {
  async ioredis(port) {
    const client = new Cluster([{ host: "127.0.0.1", port }]);
    return { client, close: () => client.disconnect() };
  },
  async redis(port) {
    const client = await createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] }).connect();
    return { client, close: () => client.destroy() };
  },
};

const context = { settings: settingsFor(5_000), time: systemTime, isTrusted: false, announces: () => true };

/** Goes through every script once. */
async function useStore(client: object, key: string): Promise<void> {
  const store = redisStore(client, { key }).open(context);
  expect(await store.offer("a", "0")).toEqual({ state: "unknown" });
  expect(await store.tick()).toEqual({ isFresh: false, isLeader: true, unclaimed: [] });
  const repair = await store.beginRepair();
  const serverOffsetMs = Date.now() - systemTime.monotonicMs();
  const proof = () => ({ askedMs: systemTime.monotonicMs(), serverOffsetMs });
  expect(await store.beat({ ...proof(), repair })).toBe(true);
  expect(await store.offer("a", 'ä|"1"')).toEqual({ state: "absent" });
  const change = { channel: "a", isOccupied: true, version: 1_700_000_000_000_001, occurredMs: Date.now() };
  expect(await store.apply([change])).toEqual(["a"]);
  const first = await store.next("a");
  expect(first).toMatchObject({ kind: "message", text: 'ä|"1"', wasKept: true });
  if (first.kind !== "message") throw new Error("no message");
  const second = await store.next("a", { id: first.id, isSent: true });
  expect(second).toMatchObject({ kind: "occupied", change });
  await store.release("a");
  if (second.kind !== "occupied") throw new Error("no arrival");
  await store.next("a");
  expect(await store.next("a", { id: second.id, isSent: true })).toEqual({ kind: "over" });
  expect(await store.offer("a", "2")).toEqual({ state: "member" });
  await store.raiseFloor(5);
  const members: string[] = [];
  for await (const some of store.members()) members.push(...some);
  expect(members).toEqual(["a"]);
  await store.removeAbsent(["a"], 1_700_000_000_000_002);
  expect(await store.offer("a", "3")).toEqual({ state: "absent" });
  await store.beginRepair();
  expect((await store.tick()).unclaimed).toEqual(["a"]);
  expect(store.totals()).toEqual({ sent: 3, saved: 1, caughtUp: 1, failedOpen: 1 });
  await store.close();
}

describe("Redis clients", () => {
  const redis = useRedis();

  for (const [name, connect] of Object.entries(CLIENTS)) {
    run(`${name} is understood`, async () => {
      const { client, close } = await connect(redis.server.url);
      await useStore(client, `pusher:channels:${name}`);
      close();
    });
  }

  run("scripts are sent anew to a Redis that has forgotten them", async () => {
    const { client, close } = await connectTo("ioredis", redis.server.url);
    await useStore(client, "first");
    const flushed = new Redis(redis.server.url);
    await flushed.script("FLUSH");
    flushed.disconnect();
    await useStore(client, "second");
    close();
  });

  run("a prefix that ioredis puts before keys is before all of them", async () => {
    const client = new Redis(redis.server.url, { keyPrefix: "mine:" });
    const plain = new Redis(redis.server.url);
    await plain.flushall();
    await useStore(client, "channels");
    const keys = await plain.keys("*");
    expect(keys.length).toBeGreaterThan(3);
    expect(keys.filter((key) => !key.startsWith("mine:"))).toEqual([]);
    client.disconnect();
    plain.disconnect();
  });

  test("something else is refused in words", () => {
    expect(() => redisStore({})).toThrow(GateError);
    expect(() => redisStore({ get: () => undefined })).toThrow("pass one of ioredis, redis or Bun");
  });
});

describe("a Redis Cluster", () => {
  const redis = useRedis(["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"]);
  beforeAll(async () => {
    if (redisProgram === undefined) return;
    const client = new Redis(redis.server.url);
    await client.cluster("ADDSLOTSRANGE", 0, 16_383);
    await until("the cluster is up", async () => (await client.cluster("INFO")).includes("cluster_state:ok"));
    client.disconnect();
  });

  for (const [name, connect] of Object.entries(CLUSTER_CLIENTS)) {
    for (const key of ["pusher:channels", "shop{7}:channels"]) {
      run(`${name} finds all keys of ${key} in one slot`, async () => {
        const flushed = new Redis(redis.server.url);
        await flushed.flushall();
        flushed.disconnect();
        const { client, close } = await connect(redis.server.port);
        await useStore(client, key);
        close();
      });
    }
  }
});

describe("a Redis that is away", () => {
  const redis = useRedis();
  let connected: Connected;
  beforeAll(async () => {
    if (redisProgram !== undefined) connected = await connectTo("ioredis", redis.server.url);
  });
  afterAll(() => connected?.close());

  run(
    "counts as away when it does not answer in time, and keeps nothing of what it hears later",
    async () => {
      const settings = settingsFor(500);
      const store = redisStore(connected.client, { key: "frozen" }).open({ ...context, settings });
      await store.tick();
      const repair = await store.beginRepair();
      await store.beat({ askedMs: systemTime.monotonicMs(), serverOffsetMs: undefined, repair });
      redis.server.freeze();
      const failure = await store.offer("a", "1").catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "store_unavailable" });
      const endMs = systemTime.monotonicMs() + 50;
      await until("no answer would be of use any more", () => systemTime.monotonicMs() > endMs);
      redis.server.thaw();
      await until("it answers", async () => {
        await store.tick();
        return true;
      });
      const look = new Redis(redis.server.url);
      expect(await look.exists("{frozen}:messages:a")).toBe(0);
      look.disconnect();
    },
  );
});

function connectTo(name: string, url: string): Promise<Connected> {
  const connect = CLIENTS[name];
  if (connect === undefined) throw new Error(name);
  return connect(url);
}
