import { describe, expect, test } from "bun:test";
import { GateError } from "./gate-error.ts";
import { memoryStore } from "./memory/memory-store.ts";
import type { GateStore } from "./store.ts";
import { requestError } from "./testing/fake-service.ts";
import { GateWorld } from "./testing/gate-world.ts";
import { turns } from "./testing/manual-time.ts";

describe("a gate that hears by webhooks", () => {
  test("sends what somebody hears, keeps the rest, and counts both", async () => {
    const world = await GateWorld.started();
    const { gate, service } = world;
    await world.announce("b", true);
    expect(await world.ticks("a", 1)).toEqual([false]);
    expect(await world.ticks("b", 1, 2)).toEqual([true, true]);
    await world.announce("b", false);
    expect(await world.ticks("b", 3)).toEqual([false]);
    expect(service.published.map(({ channel, data }) => [channel, data])).toEqual([
      ["b", 1],
      ["b", 2],
    ]);
    expect(gate.counters).toEqual({ sent: 2, saved: 2, caughtUp: 0, failedOpen: 0 });
    expect(gate.totals).toEqual(gate.counters);
  });

  test("hands event, data and parameters on as they were given", async () => {
    const world = await GateWorld.started();
    const { gate, service } = world;
    await world.announce("b", true);
    await gate.trigger("b", "moved", { x: [1] }, { socket_id: "13.37" });
    await gate.trigger("a", "moved", { x: [1] }, { socket_id: "13.37" });
    await gate.trigger("a", "said", "plain text");
    await world.announce("a", true);
    expect(service.published).toEqual([
      { channel: "b", event: "moved", data: { x: [1] }, params: { socket_id: "13.37" } },
      { channel: "a", event: "moved", data: { x: [1] }, params: { socket_id: "13.37" } },
      { channel: "a", event: "said", data: "plain text" },
    ]);
  });

  test("sends everything before it knows who listens", async () => {
    const world = new GateWorld();
    const { gate, service } = world;
    expect(await world.ticks("a", 1)).toEqual([true]);
    expect(gate.isFresh).toBe(false);
    await gate.start();
    expect(gate.isFresh).toBe(true);
    expect(await world.ticks("a", 2)).toEqual([false]);
    expect(service.heard("a")).toEqual([1]);
    expect(gate.counters).toEqual({ sent: 1, saved: 1, caughtUp: 0, failedOpen: 1 });
  });

  test("catches up what was suppressed since a second before the watcher came", async () => {
    const world = await GateWorld.started();
    const { gate, service, time } = world;
    await world.ticks("a", 1);
    await time.advance(900);
    await world.ticks("a", 2);
    const change = service.announce("a", true);
    await time.advance(300);
    await world.ticks("a", 3);
    await world.tell(change);
    expect(service.heard("a")).toEqual([1, 2, 3]);
    expect(await world.ticks("a", 4)).toEqual([true]);
    expect(gate.counters).toEqual({ sent: 4, saved: 0, caughtUp: 3, failedOpen: 0 });
    await world.announce("a", false);
    await world.ticks("a", 5);
    await time.advance(1_100);
    await world.ticks("a", 6);
    await world.announce("a", true);
    expect(service.heard("a")).toEqual([1, 2, 3, 4, 6]);
  });

  test("what is suppressed after the watcher is gone is not caught up for ever", async () => {
    const world = await GateWorld.started();
    const { service, time } = world;
    await world.ticks("a", 1);
    await time.advance(6_000);
    await world.ticks("a", 2);
    service.skewMs -= 60_000; // the arrival is told as if it had been long ago
    await world.announce("a", true);
    expect(service.heard("a")).toEqual([2]);
  });

  test("tells of the first watcher between what is caught up and what comes then", async () => {
    const world = await GateWorld.started();
    const { gate, service } = world;
    const calls: unknown[] = [];
    let letGo = () => {};
    gate.onOccupied(async (channel, change) => {
      calls.push([channel, change.isOccupied, change.version]);
      await new Promise<void>((resolve) => {
        letGo = resolve;
      });
      await service.trigger(channel, "state", "state");
    });
    await world.ticks("a", 1);
    await world.announce("a", true);
    expect(calls).toEqual([["a", true, 2]]);
    expect(await world.ticks("a", 2, 3)).toEqual([true, true]);
    expect(service.heard("a")).toEqual([1]);
    letGo();
    await turns();
    expect(service.heard("a")).toEqual([1, "state", 2, 3]);
    expect(await world.ticks("a", 4)).toEqual([true]);
    expect(gate.counters).toEqual({ sent: 4, saved: 0, caughtUp: 1, failedOpen: 0 });
  });

  test("a function that fails or does not end holds nobody up for long, and is told of", async () => {
    const world = await GateWorld.started();
    const { gate, service, time } = world;
    gate.onOccupied(() => {
      throw new Error("broken");
    });
    const takeBack = gate.onOccupied(() => new Promise(() => {}));
    await world.announce("a", true);
    await world.ticks("a", 1);
    await time.advance(10_000);
    expect(service.heard("a")).toEqual([1]);
    expect(world.codes).toEqual(["handler_failed", "handler_failed"]);
    takeBack();
    await world.announce("b", true);
    await world.ticks("b", 1);
    expect(service.heard("b")).toEqual([1]);
  });

  test("webhooks that come twice and in the wrong order change nothing", async () => {
    const world = await GateWorld.started();
    const { service } = world;
    const occupied = service.announce("a", true);
    const vacated = service.announce("a", false);
    await world.tell(vacated);
    await world.tell(occupied, occupied);
    expect(await world.ticks("a", 1)).toEqual([false]);
    const again = service.announce("a", true);
    await world.tell(again);
    await world.tell(vacated, again);
    expect(await world.ticks("a", 2)).toEqual([true]);
  });

  test("sends everything while the server does not say how far it is, the kept first", async () => {
    const world = await GateWorld.started();
    const { gate, service, time } = world;
    await world.announce("b", true);
    await time.advance(3_000);
    expect(gate.isFresh).toBe(true);
    service.positionFails = async () => {
      throw requestError();
    };
    await world.ticks("a", 1, 2);
    service.announce("a", true); // and nobody says so
    await time.advance(1_400);
    await world.ticks("a", 3);
    await time.advance(1_600);
    expect(gate.isFresh).toBe(false);
    expect(service.heard("a")).toEqual([1, 2, 3]);
    expect(await world.ticks("a", 4)).toEqual([true]);
    expect(await world.ticks("c", 1)).toEqual([true]);
    expect(service.heard("a")).toEqual([1, 2, 3, 4]);
    expect(new Set(world.codes)).toEqual(new Set(["position_unavailable"]));
    expect(world.errors[0]?.message).toContain("no connection");

    service.positionFails = undefined;
    await time.advance(1_500);
    expect(gate.isFresh).toBe(true);
    expect(service.snapshots).toBe(2);
    expect(await world.ticks("a", 5)).toEqual([true]);
    expect(await world.ticks("c", 2)).toEqual([false]);
    expect(gate.counters).toEqual({ sent: 6, saved: 1, caughtUp: 3, failedOpen: 2 });
  });

  test("sends everything while a webhook is overdue, until a snapshot was applied", async () => {
    const world = await GateWorld.started();
    const { gate, service, time } = world;
    service.announce("a", true);
    await world.ticks("a", 1);
    service.undeliveredMs = 1_900;
    await time.advance(1_000);
    expect(gate.isFresh).toBe(true);
    service.undeliveredMs = 2_000;
    await time.advance(3_000);
    expect(gate.isFresh).toBe(false);
    expect(world.codes).toContain("feed_behind");
    expect(service.heard("a")).toEqual([1]);
    expect(await world.ticks("a", 2)).toEqual([true]);
    service.undeliveredMs = undefined;
    await time.advance(2_000);
    expect(gate.isFresh).toBe(true);
    expect(await world.ticks("a", 3)).toEqual([true]);
    expect(gate.counters.failedOpen).toBe(1);
  });

  test("a watcher of whom no webhook tells misses nothing, wherever in time it comes", async () => {
    for (let offsetMs = 0; offsetMs < 1_200; offsetMs += 100) {
      const world = await GateWorld.started();
      const { service, time } = world;
      await time.advance(10_000 + offsetMs);
      const cameMs = time.monotonicMs();
      service.announce("a", true);
      const sent: number[] = [];
      for (let number = 1; time.monotonicMs() < cameMs + 12_000; number++) {
        service.undeliveredMs = time.monotonicMs() - cameMs;
        await world.ticks("a", number);
        sent.push(number);
        await time.advance(250);
      }
      expect(service.heard("a")).toEqual(sent);
    }
  });

  test("one question that fails is asked again in time", async () => {
    const world = await GateWorld.started();
    const { gate, service, time } = world;
    let questions = 0;
    service.positionFails = async () => {
      questions++;
      if (questions % 2 === 1) throw requestError();
    };
    await time.advance(20_000);
    expect(gate.isFresh).toBe(true);
    expect(service.snapshots).toBe(1);
    expect(world.codes.length).toBeGreaterThan(5);
  });

  test("starts once, however often it is told to", async () => {
    const { gate, service, time } = new GateWorld();
    await Promise.all([gate.start(), gate.start()]);
    await gate.start();
    await time.advance(10_000);
    expect(service.reports.length).toBeWithin(10, 13);
  });

  test("an answer that takes too long proves nothing", async () => {
    const { gate, service, time } = await GateWorld.started();
    service.positionFails = () => new Promise(() => {});
    await time.advance(2_600);
    expect(gate.isFresh).toBe(false);
  });

  test("rejects as the library does, and counts what was sent only", async () => {
    const world = await GateWorld.started();
    const { gate, service } = world;
    await world.announce("b", true);
    service.triggerFails = async () => {
      throw requestError(413);
    };
    expect(gate.trigger("b", "tick", 1)).rejects.toThrow("status 413");
    await turns();
    expect(gate.counters).toEqual({ sent: 0, saved: 0, caughtUp: 0, failedOpen: 0 });
    expect(gate.totals).toEqual(gate.counters);
  });

  test("what waits is sent again after a failure, in order, and dropped when it is refused", async () => {
    const world = await GateWorld.started();
    const { gate, service, time } = world;
    await world.ticks("a", 1, 2, 3);
    const failures = [requestError(500), requestError(), "good", requestError(400), "good", "good"];
    service.triggerFails = async () => {
      const failure = failures.shift();
      if (failure instanceof Error) throw failure;
    };
    await world.announce("a", true);
    expect(await world.ticks("a", 4)).toEqual([true]);
    await time.advance(2_000);
    expect(service.heard("a")).toEqual([1, 3, 4]);
    expect(world.codes).toEqual(["message_dropped"]);
    expect(gate.counters).toEqual({ sent: 3, saved: 1, caughtUp: 2, failedOpen: 0 });
    expect(gate.totals).toEqual(gate.counters);
  });

  test("what cannot be sent for a minute does not hold up the rest", async () => {
    const world = await GateWorld.started();
    const { gate, service, time } = world;
    await world.ticks("a", 1);
    let isBroken = true;
    service.triggerFails = async () => {
      if (isBroken) throw requestError(500);
    };
    await world.announce("a", true);
    await world.ticks("a", 2);
    await time.advance(70_000);
    isBroken = false;
    await time.advance(10_000);
    expect(world.codes).toEqual(["message_dropped"]);
    expect(service.heard("a")).toEqual([2]);
    expect(gate.counters).toEqual({ sent: 1, saved: 1, caughtUp: 0, failedOpen: 0 });
  });

  test("several channels in one call are looked at one by one", async () => {
    const world = await GateWorld.started();
    const { gate, service } = world;
    await world.announce("b", true);
    await world.announce("c", true);
    expect(await gate.trigger(["a", "b", "c"], "tick", 1)).toBe(true);
    expect(await gate.trigger(["a", "d"], "tick", 2)).toBe(false);
    expect(service.published.map(({ channel }) => channel)).toEqual(["b", "c"]);
    expect(gate.counters).toEqual({ sent: 2, saved: 3, caughtUp: 0, failedOpen: 0 });
    await world.announce("a", true);
    expect(service.heard("a")).toEqual([1, 2]);
  });

  test("channels that remember their last event are always published to", async () => {
    const world = await GateWorld.started();
    const { service } = world;
    for (const channel of ["cache-a", "private-cache-a", "presence-cache-a", "private-encrypted-cache-a"]) {
      expect(await world.ticks(channel, 1)).toEqual([true]);
      expect(service.heard(channel)).toEqual([1]);
    }
    expect(await world.ticks("private-my-cache-a", 1)).toEqual([false]);
  });

  test("channels outside of the prefix are sent, whatever is told of them", async () => {
    const world = await GateWorld.started({ prefix: "private-" });
    const { gate } = world;
    await world.announce("private-b", true);
    await world.announce("news", true);
    await world.announce("news", false);
    expect(await world.ticks("news", 1)).toEqual([true]);
    expect(await world.ticks("private-a", 1)).toEqual([false]);
    expect(await world.ticks("private-b", 1)).toEqual([true]);
    expect(gate.counters).toEqual({ sent: 2, saved: 1, caughtUp: 0, failedOpen: 0 });
  });

  test("what the library would refuse is refused also where nobody listens", async () => {
    const { gate } = await GateWorld.started();
    const refused: [channel: string | string[], event: string, socketId: string | undefined, text: string][] =
      [
        ["no spaces", "e", undefined, "'no spaces' is no channel name"],
        ["x".repeat(201), "e", undefined, "has 201 characters; at most 200"],
        ["a", "e".repeat(201), undefined, "201 characters; at most 200"],
        [[], "e", undefined, "name at least one"],
        [
          Array.from({ length: 101 }, (_, index) => `c${index}`),
          "e",
          undefined,
          "101 channels in one call; at most 100",
        ],
        [["a", "private-encrypted-b"], "e", undefined, "'private-encrypted-b' is encrypted"],
        ["a", "e", "not-a-socket", "'not-a-socket' is no socket id"],
      ];
    for (const [channel, event, socketId, text] of refused) {
      const params = socketId === undefined ? undefined : { socket_id: socketId };
      const failure = await gate.trigger(channel, event, 1, params).catch((error: unknown) => error);
      if (!(failure instanceof GateError)) throw new Error(`not refused: ${text}`);
      expect([failure.code, failure.message]).toEqual(["message_invalid", expect.stringContaining(text)]);
    }
    expect(gate.trigger("a", "e", 1n)).rejects.toThrow(TypeError);
    expect(gate.counters).toEqual({ sent: 0, saved: 0, caughtUp: 0, failedOpen: 0 });
  });

  test("a caller that is faster than a drain is slowed down, and then refused", async () => {
    const world = await GateWorld.started({ maxChannelMessages: 50 });
    const { gate, service, time } = world;
    let letGo = () => {};
    service.triggerFails = () =>
      new Promise<void>((resolve) => {
        letGo = resolve;
      });
    await world.ticks("a", 0);
    await world.announce("a", true);
    let ended = 0;
    for (let number = 1; number < 100; number++) void gate.trigger("a", "tick", number).then(() => ended++);
    await turns();
    expect(ended).toBe(63);
    await time.advance(100);
    expect(ended).toBe(99);
    const failure = await gate.trigger("a", "tick", 100).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "queue_full" });
    expect(String(failure)).toContain("100 messages wait for a");
    expect(gate.counters).toEqual({ sent: 99, saved: 1, caughtUp: 0, failedOpen: 0 });
    service.triggerFails = undefined;
    letGo();
    await time.advance(1_000);
    expect(service.heard("a")).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  test("what is kept is sent when the gate closes, and everything else at once from then on", async () => {
    const world = await GateWorld.started();
    const { gate, service } = world;
    await world.ticks("a", 1, 2);
    await gate.close();
    expect(service.heard("a")).toEqual([1, 2]);
    expect(await world.ticks("a", 3)).toEqual([true]);
    expect(gate.isFresh).toBe(false);
    expect(gate.counters).toEqual({ sent: 3, saved: 0, caughtUp: 2, failedOpen: 1 });
  });

  test("a gate that closes while the server is away ends all the same", async () => {
    const world = await GateWorld.started();
    const { gate, service, time } = world;
    await world.ticks("a", 1);
    service.triggerFails = async () => {
      throw requestError();
    };
    const closed = gate.close();
    await time.advance(20_000);
    await closed;
    expect(service.published).toEqual([]);
  });

  test("reports its counts to the server, under its name", async () => {
    const world = await GateWorld.started({ name: "encoder" });
    const { service, time } = world;
    await world.ticks("a", 1, 2);
    await world.announce("a", true);
    await time.advance(1_000);
    expect(service.reports.at(-1)).toEqual({
      endpoint: "e1",
      gate: "encoder",
      counters: { sent: 2, saved: 0, caught_up: 2, failed_open: 0 },
    });
  });

  test("an endpoint that the server does not know is told of in words", async () => {
    const world = new GateWorld();
    world.service.positionFails = async () => {
      throw Object.assign(requestError(404), { body: "Unknown endpoint e1" });
    };
    const started = world.gate.start();
    await world.time.advance(5_000);
    await started;
    expect(world.gate.isFresh).toBe(false);
    expect(world.errors[0]?.message).toContain("Unknown endpoint e1");
  });

  test("what nobody noticed is mended within ten minutes", async () => {
    const world = await GateWorld.started();
    const { service, time } = world;
    service.announce("a", true); // a webhook that was answered with 200 and lost
    await time.advance(1_000);
    expect(await world.ticks("a", 1)).toEqual([false]);
    await time.advance(600_000);
    expect(await world.ticks("a", 2)).toEqual([true]);
    expect(service.snapshots).toBe(2);
  });

  test("sends everything while the store is away, without waiting for it each time", async () => {
    let isAway = false;
    let offers = 0;
    const kind: GateStore = {
      open(context) {
        const store = memoryStore().open(context);
        return new Proxy(store, {
          get(target, name) {
            const value: unknown = Reflect.get(target, name);
            if (typeof value !== "function") return value;
            return (...args: unknown[]) => {
              if (name === "offer") offers++;
              if (isAway && (name === "offer" || name === "tick" || name === "apply"))
                return Promise.reject(new Error("gone"));
              return Reflect.apply(value, target, args);
            };
          },
        });
      },
    };
    const world = await GateWorld.started({ store: kind });
    const { gate, service, time } = world;
    isAway = true;
    expect(await world.ticks("a", 1, 2, 3)).toEqual([true, true, true]);
    expect(offers).toBe(1);
    expect(gate.isFresh).toBe(false);
    expect(world.codes).toEqual(["store_unavailable"]);
    expect(await world.tell(service.announce("b", true))).toBe(503);
    isAway = false;
    await time.advance(5_000);
    expect(gate.isFresh).toBe(true);
    expect(await world.ticks("a", 4)).toEqual([false]);
    expect(service.heard("a")).toEqual([1, 2, 3]);
    expect(gate.counters).toEqual({ sent: 3, saved: 1, caughtUp: 0, failedOpen: 3 });
    expect(gate.totals).toEqual(gate.counters);
  });
});
