import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { redisProgram, useRedis } from "../../../../test/support/redis.ts";
import { createGate, type Gate } from "../gate.ts";
import type { Publisher } from "../publisher.ts";
import { FakeService } from "../testing/fake-service.ts";
import { signedWebhook, webhookBody } from "../testing/gate-world.ts";
import { ManualTime } from "../testing/manual-time.ts";
import { type RedisCommands, redisCommands } from "./commands.ts";
import { redisStore } from "./redis-store.ts";

const run = test.skipIf(redisProgram === undefined);
let worlds = 0;

describe("several workers on one Redis", () => {
  const redis = useRedis();
  let client: Bun.RedisClient;
  beforeAll(() => {
    if (redisProgram !== undefined) client = new Bun.RedisClient(redis.server.url);
  });
  afterAll(() => client?.close());

  /** Gates that share a service, a set and a time. */
  class Workers {
    readonly key: string;
    readonly time: ManualTime;
    readonly service: FakeService;
    readonly #commands: RedisCommands;
    #underWay = 0;

    constructor() {
      worlds++;
      this.key = `workers-${worlds}`;
      const commands = redisCommands(client);
      const watch = async (work: Promise<unknown>) => {
        this.#underWay++;
        try {
          return await work;
        } finally {
          this.#underWay--;
        }
      };
      this.#commands = {
        runScript: (script, keys, args) => watch(commands.runScript(script, keys, args)),
        runScriptBySha: (sha, keys, args) => watch(commands.runScriptBySha(sha, keys, args)),
      };
      this.time = new ManualTime(async () => {
        for (let calm = 0; calm < 4; calm = this.#underWay === 0 ? calm + 1 : 0) {
          await new Promise((resolve) => setImmediate(resolve));
        }
      });
      this.service = new FakeService(this.time);
    }

    /** @param isDead the process ended as `kill -9` ends it: what it asks for comes to nothing */
    hire(isDead: () => boolean = () => false): Gate {
      const { service } = this;
      const alive = <T>(work: () => Promise<T>): Promise<T> => (isDead() ? new Promise(() => {}) : work());
      const pusher: Publisher = {
        trigger: (...args) => alive(() => service.trigger(...args)),
        get: (request) => alive(() => service.get(request)),
        post: (request) => alive(() => service.post(request)),
        webhook: (request) => service.webhook(request),
        createSignedQueryString: (request) => service.createSignedQueryString(request),
      };
      const commands: RedisCommands = {
        runScript: (...args) => alive(() => this.#commands.runScript(...args)),
        runScriptBySha: (...args) => alive(() => this.#commands.runScriptBySha(...args)),
      };
      const store = redisStore(commands, { key: this.key, nowMs: () => this.time.wallMs() });
      const gate = createGate({
        pusher,
        feed: "webhooks",
        store,
        openStream: service.openStream,
        time: this.time,
        onError: () => {},
      });
      void gate.start();
      return gate;
    }

    async announce(gate: Gate, channel: string, isOccupied: boolean): Promise<void> {
      const change = this.service.announce(channel, isOccupied);
      const response = await gate.receiver()(signedWebhook(webhookBody(this.service.nowMs(), [change])));
      expect(response.status).toBe(200);
      await this.time.advance(0);
    }
  }

  run("one asks the server and applies the webhooks, and all know", async () => {
    const workers = new Workers();
    const [first, second] = [workers.hire(), workers.hire()];
    await workers.time.advance(1_000);
    expect([first.isFresh, second.isFresh]).toEqual([true, true]);
    expect(await second.trigger("a", "tick", 1)).toBe(false);
    await workers.announce(first, "a", true);
    expect(workers.service.heard("a")).toEqual([1]);
    expect(await second.trigger("a", "tick", 2)).toBe(true);
    await workers.time.advance(10_000);
    expect([first.isFresh, second.isFresh]).toEqual([true, true]);
    expect(workers.service.snapshots).toBe(1);
    expect(workers.service.reports.length).toBeWithin(8, 14);
    expect(second.counters).toEqual({ sent: 1, saved: 1, caughtUp: 0, failedOpen: 0 });
    expect(first.counters).toEqual({ sent: 1, saved: -1, caughtUp: 1, failedOpen: 0 });
    expect(first.totals).toEqual({ sent: 2, saved: 0, caughtUp: 1, failedOpen: 0 });
    expect(workers.service.reports.at(-1)).toMatchObject({
      gate: workers.key,
      counters: { sent: 2, saved: 0, caught_up: 1, failed_open: 0 },
    });
    await Promise.all([first.close(), second.close()]);
  });

  run("what is kept goes out when nothing is fresh, though nobody triggers any more", async () => {
    const workers = new Workers();
    const gate = workers.hire();
    await workers.time.advance(1_000);
    for (const number of [1, 2, 3]) expect(await gate.trigger("a", "tick", number)).toBe(false);
    workers.service.positionFails = () => Promise.reject(new Error("away"));
    await workers.time.advance(4_500);
    expect(workers.service.heard("a")).toEqual([1, 2, 3]);
    await gate.close();
  });

  run("who died while it sent is followed by another, which triggers nothing itself", async () => {
    const workers = new Workers();
    let isDead = false;
    const doomed = workers.hire(() => isDead);
    await workers.time.advance(1_000);
    for (const number of [1, 2]) await doomed.trigger("a", "tick", number);
    workers.service.triggerFails = () => {
      isDead = true;
      return new Promise(() => {});
    };
    await workers.announce(doomed, "a", true);
    expect(isDead).toBe(true);
    workers.service.triggerFails = undefined;
    const heir = workers.hire();
    await workers.time.advance(9_000);
    expect(workers.service.heard("a")).toEqual([]);
    await workers.time.advance(4_000);
    expect(workers.service.heard("a")).toEqual([1, 2]);
    expect(await heir.trigger("a", "tick", 3)).toBe(true);
    expect(workers.service.heard("a")).toEqual([1, 2, 3]);
    await heir.close();
  });

  run(
    "an arrival is told by a worker that has a function for it, whoever hears of it and whoever drains",
    async () => {
      const workers = new Workers();
      const gates = [workers.hire(), workers.hire(), workers.hire()];
      const [receiver, busy, teller] = gates;
      if (receiver === undefined || busy === undefined || teller === undefined) throw new Error("nobody");
      const told: string[] = [];
      teller.onOccupied(async (channel) => {
        told.push(channel);
        await workers.service.trigger(channel, "state", "state");
      });
      await workers.time.advance(2_000);
      for (let index = 0; index < 5; index++) {
        const channel = `c${index}`;
        await busy.trigger(channel, "tick", 1);
        await workers.announce(index % 2 === 0 ? receiver : teller, channel, true);
        await busy.trigger(channel, "tick", 2);
        await workers.time.advance(1_000);
        expect(workers.service.heard(channel)).toEqual([1, "state", 2]);
      }
      expect(told).toEqual(["c0", "c1", "c2", "c3", "c4"]);
      await Promise.all(gates.map((gate) => gate.close()));
    },
  );

  run("an arrival that nobody is left to tell of holds nothing up for longer than a lease", async () => {
    const workers = new Workers();
    let isDead = false;
    const teller = workers.hire(() => isDead);
    const told: string[] = [];
    teller.onOccupied((channel) => told.push(channel));
    const busy = workers.hire();
    await workers.time.advance(2_000);
    isDead = true;
    await busy.trigger("a", "tick", 1);
    await workers.announce(busy, "a", true);
    await busy.trigger("a", "tick", 2);
    expect(workers.service.heard("a")).toEqual([1]);
    await workers.time.advance(12_000);
    expect(workers.service.heard("a")).toEqual([1, 2]);
    expect(told).toEqual([]);
    await busy.close();
  });

  run("a worker that closes leaves what it has kept to the others", async () => {
    const workers = new Workers();
    const [first, second] = [workers.hire(), workers.hire()];
    await workers.time.advance(1_000);
    await first.trigger("a", "tick", 1);
    await first.close();
    expect(workers.service.heard("a")).toEqual([]);
    await workers.announce(second, "a", true);
    expect(workers.service.heard("a")).toEqual([1]);
    await workers.time.advance(3_000);
    expect(second.isFresh).toBe(true);
    await second.close();
  });

  run("a deleted set opens the gates at once, and is repaired", async () => {
    const workers = new Workers();
    const gate = workers.hire();
    await workers.time.advance(1_000);
    await workers.announce(gate, "a", true);
    await workers.announce(gate, "b", true);
    await client.del(workers.key);
    expect(await gate.trigger("a", "tick", 1)).toBe(true);
    expect(await gate.trigger("c", "tick", 1)).toBe(true);
    await workers.time.advance(2_000);
    expect((await client.smembers(workers.key)).sort()).toEqual(["a", "b"]);
    expect(await gate.trigger("a", "tick", 2)).toBe(true);
    expect(await gate.trigger("c", "tick", 2)).toBe(false);
    expect(workers.service.heard("a")).toEqual([1, 2]);
    await gate.close();
  });
});
