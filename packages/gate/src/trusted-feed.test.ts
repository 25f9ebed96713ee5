import { describe, expect, test } from "bun:test";
import { requestError } from "./testing/fake-service.ts";
import { GateWorld, signedWebhook } from "./testing/gate-world.ts";
import { turns } from "./testing/manual-time.ts";

const TRUSTED = { freshness: "trusted", endpoint: undefined } as const;

/** A webhook as the hosted service sends it: without ids, versions and times of its own. */
function hosted(timeMs: number, ...events: [name: string, channel: string][]): Request {
  const rows = events.map(([name, channel]) => ({ name, channel }));
  return signedWebhook(JSON.stringify({ time_ms: timeMs, events: rows }));
}

describe("a gate before a service that tells no position", () => {
  test("adds what is occupied at the start, and believes the webhooks from then on", async () => {
    const world = new GateWorld(TRUSTED);
    world.service.announce("a", true);
    await world.gate.start();
    await world.time.advance(3_600_000);
    expect(world.gate.isFresh).toBe(true);
    expect(world.service.reports).toEqual([]);
    expect(await world.ticks("a", 1)).toEqual([true]);
    expect(await world.ticks("b", 1)).toEqual([false]);
    const receive = world.gate.receiver();
    const nowMs = world.time.wallMs();
    await receive(hosted(nowMs, ["channel_occupied", "b"], ["channel_vacated", "a"]));
    await turns();
    expect(world.service.heard("b")).toEqual([1]);
    expect(await world.ticks("a", 2)).toEqual([false]);
  });

  test("orders webhooks by their time, and the events of one by their place", async () => {
    const world = await GateWorld.started(TRUSTED);
    const receive = world.gate.receiver();
    const nowMs = world.time.wallMs() + 1;
    await receive(hosted(nowMs + 10, ["channel_vacated", "a"]));
    await receive(hosted(nowMs, ["channel_occupied", "a"]));
    expect(await world.ticks("a", 1)).toEqual([false]);
    await receive(hosted(nowMs + 20, ["channel_vacated", "a"], ["channel_occupied", "a"]));
    await turns();
    expect(await world.ticks("a", 2)).toEqual([true]);
  });

  test("removes nothing because a list lacks it, since a channel that fills again at once is told of by nobody", async () => {
    const world = new GateWorld(TRUSTED);
    world.service.announce("a", true);
    await world.gate.start();
    world.service.announce("a", false); // the list says so; no webhook does
    await world.time.advance(700_000);
    expect(await world.ticks("a", 1)).toEqual([true]);
  });

  test("forgets when channels were vacated after ten minutes, and takes webhooks of before for stale", async () => {
    const world = await GateWorld.started(TRUSTED);
    const receive = world.gate.receiver();
    const oldMs = world.time.wallMs();
    await receive(hosted(oldMs + 1, ["channel_vacated", "a"]));
    await world.time.advance(1_300_000);
    await receive(hosted(oldMs, ["channel_occupied", "a"]));
    expect(await world.ticks("a", 1)).toEqual([false]);
  });

  test("sends everything until it has the list", async () => {
    const world = new GateWorld(TRUSTED);
    world.service.listFails = async () => {
      throw requestError(500);
    };
    const started = world.gate.start();
    await world.time.advance(5_000);
    await started;
    expect(await world.ticks("a", 1)).toEqual([true]);
    expect(world.codes).toContain("position_unavailable");
    world.service.listFails = undefined;
    await world.time.advance(2_000);
    expect(await world.ticks("a", 2)).toEqual([false]);
  });
});
