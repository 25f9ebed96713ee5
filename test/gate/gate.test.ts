/** Gates with the Redis set before the official library, where a test says itself what happens. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { once as onceEmitted } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createGate } from "../../packages/gate/src/index.ts";
import { pusherFor } from "../support/authorizer.ts";
import { arrive } from "../support/occupancy.ts";
import { disconnectPushers, heard, makePusher, once } from "../support/pusher-client.ts";
import { redisProgram, useRedis } from "../support/redis.ts";
import { twentieth } from "../support/twentieth.ts";
import { until } from "../support/until.ts";
import { SET, Stage } from "./stage.ts";

const redis = useRedis();
let stage: Stage;

beforeEach(async () => {
  stage = await Stage.start(redis.server, twentieth());
});

afterEach(async () => {
  disconnectPushers();
  await stage.stop();
});

const isWatched = (...channels: string[]) =>
  until(`${channels} are watched`, async () => Bun.deepEquals(await stage.watched(), channels.sort()));

describe.skipIf(redisProgram === undefined)("a gate with the Redis set", () => {
  test("sends what is watched and saves the rest, and both together are all calls", async () => {
    const gates = [await stage.receivingGate(), await stage.gate()];
    const channels = Array.from({ length: 20 }, (_, index) => `cloud-${index}`);
    const watched = ["cloud-3", "cloud-7", "cloud-19"];
    const client = makePusher(stage.earshot);
    const ticks = watched.map((channel) => heard(client.subscribe(channel), "tick"));
    await isWatched(...watched);

    const call = async (worker: number, number: number) => {
      for (const channel of channels) await gates[worker]?.trigger(channel, "tick", { worker, number });
    };
    const numbers = Array.from({ length: 10 }, (_, index) => index);
    await Promise.all(
      [0, 1].map(async (worker) => {
        for (const number of numbers) await call(worker, number);
      }),
    );
    for (const gate of gates)
      expect(gate.counters).toEqual({ sent: 30, saved: 170, caughtUp: 0, failedOpen: 0 });
    await until("every watcher has heard all", () => ticks.every(({ length }) => length >= 20));
    for (const worker of [0, 1]) {
      const expected = numbers.map((number) => ({ worker, number }));
      const ofWorker = (tick: unknown) => (tick as { worker: number }).worker === worker; // as it was sent above
      for (const each of ticks) expect(each.filter(ofWorker)).toEqual(expected);
    }
    expect(await stage.metric('earshot_api_messages_total{app="7"}')).toBe(60);
    const saved = 'earshot_gate_saved{app="7",gate="pusher:channels"}';
    await until("the server's metrics tell", async () => (await stage.metric(saved)) === 340);
    expect(await stage.metric('earshot_gate_sent{app="7",gate="pusher:channels"}')).toBe(60);
    expect(stage.complaints).toEqual([]);
  });

  test("sends late, in order, what was called before it had heard of the watcher", async () => {
    const gate = await stage.receivingGate();
    const worker = await stage.gate();
    const letThrough = stage.carrier.hold();
    const channel = makePusher(stage.earshot).subscribe("jobs");
    const progress = heard(channel, "progress");
    await once(channel, "pusher:subscription_succeeded");
    for (const percent of [80, 90]) expect(await worker.trigger("jobs", "progress", percent)).toBe(false);
    expect(await gate.trigger("jobs", "progress", "complete")).toBe(false);
    letThrough();
    await until("the last one is heard", () => progress.includes("complete"));
    expect(progress).toEqual([80, 90, "complete"]);
    expect(await worker.trigger("jobs", "progress", 1)).toBe(true);
    await until("the totals are told", () => gate.totals.sent === 4);
    expect(gate.totals).toEqual({ sent: 4, saved: 0, caughtUp: 3, failedOpen: 0 });
    expect(await stage.metric('earshot_api_messages_total{app="7"}')).toBe(4);
  });

  test("tells once for each occupation that somebody watches, however busy the workers are", async () => {
    const gate = await stage.receivingGate();
    const workers = [await stage.gate(), await stage.gate()];
    const told: string[] = [];
    gate.onOccupied((channel) => {
      told.push(channel);
    });
    let isOver = false;
    const work = workers.map(async (worker) => {
      for (; !isOver; await Bun.sleep(5)) await worker.trigger("jobs", "tick", {});
    });
    try {
      for (let occupation = 1; occupation <= 10; occupation++) {
        const [first, second] = [
          await arrive(stage.earshot, ["jobs"]),
          await arrive(stage.earshot, ["jobs"]),
        ];
        await until("it is told", () => told.length === occupation);
        first.close();
        second.close();
        await isWatched();
        expect(told).toHaveLength(occupation);
      }
    } finally {
      isOver = true;
      await Promise.all(work);
    }
  });

  test("lets what a handler publishes stand between what was caught up and what comes then", async () => {
    const gate = await stage.receivingGate();
    const worker = await stage.gate();
    const pusher = pusherFor(stage.earshot);
    const isWaiting = Promise.withResolvers<void>();
    gate.onOccupied(async (channel) => {
      await isWaiting.promise;
      await pusher.trigger(channel, "progress", "the present state");
    });
    const letThrough = stage.carrier.hold();
    const channel = makePusher(stage.earshot).subscribe("jobs");
    const progress = heard(channel, "progress");
    await once(channel, "pusher:subscription_succeeded");
    expect(await worker.trigger("jobs", "progress", "before")).toBe(false);
    letThrough();
    await until("what was kept is heard", () => progress.length === 1);
    expect(await worker.trigger("jobs", "progress", "after")).toBe(true);
    isWaiting.resolve();
    await until("all are heard", () => progress.length === 3);
    expect(progress).toEqual(["before", "the present state", "after"]);
  });

  test("answers a webhook with a wrong signature with 401, and nothing changes", async () => {
    const gate = await stage.receivingGate();
    const receive = gate.receiver();
    const client = await arrive(stage.earshot, ["jobs"]);
    await isWatched("jobs");
    const version = Number(await stage.redis.hget(`{${SET}}:versions`, "jobs")) + 1;
    const event = (name: string, channel: string) => ({ name, channel, version, occurred_ms: Date.now() });
    const body = JSON.stringify({
      time_ms: Date.now(),
      events: [event("channel_vacated", "jobs"), event("channel_occupied", "others")],
    });
    const { key, secret } = stage.earshot.app;
    const signature = new Bun.CryptoHasher("sha256", secret).update(body).digest("hex");
    const post = (headers: Record<string, string>, text = body) =>
      receive(
        new Request("http://back-end/pusher", {
          method: "POST",
          headers: { "Content-Type": "application/json", ...headers },
          body: text,
        }),
      );
    const wrong: [Record<string, string>, string?][] = [
      [{}],
      [{ "X-Pusher-Key": key }],
      [{ "X-Pusher-Key": key, "X-Pusher-Signature": "" }],
      [
        {
          "X-Pusher-Key": key,
          "X-Pusher-Signature": signature.replace(/^./, (digit) => (digit === "0" ? "1" : "0")),
        },
      ],
      [{ "X-Pusher-Key": "another", "X-Pusher-Signature": signature }],
      [{ "X-Pusher-Key": key, "X-Pusher-Signature": signature }, `${body} `],
    ];
    for (const [headers, text] of wrong) expect((await post(headers, text)).status).toBe(401);
    expect(await stage.watched()).toEqual(["jobs"]);
    expect(await stage.redis.hgetall(`{${SET}}:versions`)).toEqual({ jobs: String(version - 1) });
    expect((await post({ "X-Pusher-Key": key, "X-Pusher-Signature": signature })).status).toBe(200);
    expect(await stage.watched()).toEqual(["others"]);
    client.close();
  });

  test("can be asked with SISMEMBER alone, which says what is occupied", async () => {
    await stage.receivingGate();
    const channels = ["news", "private-cloud-1", "presence-room", "cache-price", "private-encrypted-notes"];
    const isMember = (channel: string) => stage.redis.sismember(SET, channel);
    const clients = await Promise.all(channels.map((channel) => arrive(stage.earshot, [channel])));
    await isWatched(...channels);
    clients[0]?.close();
    clients[2]?.kill();
    await until(
      "those who left are no members",
      async () => !(await isMember("news")) && !(await isMember("presence-room")),
    );
    for (const channel of ["private-cloud-1", "cache-price", "private-encrypted-notes"])
      expect(await isMember(channel)).toBeTruthy();
    for (const client of clients.slice(1)) client.close();
    await isWatched();
  });

  test("lets everything through from the moment on at which somebody deletes the set, until it is whole again", async () => {
    const gate = await stage.receivingGate();
    const client = await arrive(stage.earshot, ["jobs"]);
    await isWatched("jobs");
    await stage.redis.del(SET);
    expect(await gate.trigger("jobs", "tick", 1)).toBe(true);
    expect(await gate.trigger("others", "tick", 1)).toBe(true);
    expect(gate.counters.failedOpen).toBe(2);
    await isWatched("jobs");
    await until("it saves again", async () => !(await gate.trigger("others", "tick", 2)));
    await client.next("tick");
  });

  test("sends everything while Redis is away, and fills a Redis that comes back empty", async () => {
    const gate = await stage.receivingGate({ lagWindowMs: 1_000 });
    const client = await arrive(stage.earshot, ["jobs"]);
    await isWatched("jobs");
    await redis.server.crash();
    for (const channel of ["jobs", "others"]) expect(await gate.trigger(channel, "tick", 1)).toBe(true);
    await redis.server.resume();
    await isWatched("jobs");
    await until("it saves again", async () => !(await gate.trigger("others", "tick", 2)));
    expect(await gate.trigger("jobs", "tick", 2)).toBe(true);
    await client.next("tick");
    await client.next("tick");
    expect(new Set(stage.complaints.map(({ code }) => code))).toEqual(new Set(["store_unavailable"]));
  });

  test("takes webhooks in through a server of Node too", async () => {
    const gate = await stage.gate();
    const receive = gate.nodeReceiver();
    const server = createServer((request, response) => void receive(request, response)).listen(
      0,
      "127.0.0.1",
    );
    await onceEmitted(server, "listening");
    const { port } = server.address() as AddressInfo; // it listens on a port
    stage.carrier.receive = (request) => fetch(`http://127.0.0.1:${port}/`, request);
    const client = await arrive(stage.earshot, ["jobs"]);
    await isWatched("jobs");
    client.close();
    await isWatched();
    server.close();
  });
});

test.skipIf(redisProgram === undefined)(
  "a gate with its memory and webhooks in one process asks no Redis",
  async () => {
    const gate = createGate({ pusher: pusherFor(stage.earshot), feed: "webhooks", endpoint: stage.endpoint });
    stage.carrier.receive = gate.receiver();
    await gate.start();
    const letThrough = stage.carrier.hold();
    const channel = makePusher(stage.earshot).subscribe("jobs");
    const progress = heard(channel, "progress");
    await once(channel, "pusher:subscription_succeeded");
    expect(await gate.trigger("jobs", "progress", "complete")).toBe(false);
    letThrough();
    await until("it is heard", () => progress.length === 1);
    await stage.earshot.kill();
    await stage.earshot.restart();
    await until(
      "it saves again",
      async () => !(await gate.trigger("others", "progress", 1).catch(() => true)),
    );
    await gate.trigger("jobs", "progress", "after");
    await until("the client is back", () => channel.subscribed);
    await until("what is published is heard", async () => {
      await gate.trigger("jobs", "progress", "later");
      return progress.includes("later");
    });
    await gate.close();
  },
);
