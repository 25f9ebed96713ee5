import { describe, expect, test } from "bun:test";
import { requestError } from "./testing/fake-service.ts";
import { GateWorld } from "./testing/gate-world.ts";
import { turns } from "./testing/manual-time.ts";

const STREAM = { feed: "stream", endpoint: undefined } as const;

describe("a gate that reads the occupancy stream", () => {
  test("learns from a snapshot and from what comes after it", async () => {
    const world = new GateWorld(STREAM);
    const { gate, service } = world;
    for (const channel of ["a", "b", "c"]) service.announce(channel, true);
    service.announce("c", false);
    await gate.start();
    expect(gate.isFresh).toBe(true);
    expect(service.snapshots).toBe(1);
    expect(await world.ticks("a", 1)).toEqual([true]);
    expect(await world.ticks("b", 1)).toEqual([true]);
    expect(await world.ticks("c", 1)).toEqual([false]);
    service.announce("c", true);
    service.announce("a", false);
    await turns();
    expect(await world.ticks("c", 2)).toEqual([true]);
    expect(await world.ticks("a", 2)).toEqual([false]);
    expect(service.heard("c")).toEqual([1, 2]);
    expect(service.reports.at(-1)).not.toHaveProperty("endpoint");
  });

  test("tells those who want to know which arrivals it learned from a snapshot", async () => {
    const world = new GateWorld(STREAM);
    const seen: unknown[] = [];
    world.gate.onOccupied((channel, { isFromSnapshot, count }) =>
      seen.push([channel, isFromSnapshot, count]),
    );
    world.service.announce("a", true);
    await world.gate.start();
    world.service.announce("b", true);
    await turns();
    expect(seen).toEqual([
      ["a", true, 1],
      ["b", undefined, 1],
    ]);
  });

  test("asks for its prefix only", async () => {
    const world = await GateWorld.started({ ...STREAM, prefix: "private-" });
    world.service.announce("news", true);
    world.service.heartbeat();
    await turns();
    expect(world.service.streams.map(({ prefix }) => prefix)).toEqual(["private-"]);
    await world.time.advance(5_000);
    expect(world.gate.isFresh).toBe(true);
  });

  test("goes on where a broken connection ended, and stays fresh when that is soon", async () => {
    const world = await GateWorld.started(STREAM);
    const { gate, service, time } = world;
    service.announce("a", true);
    await turns();
    service.streams[0]?.body.destroy();
    service.announce("b", true);
    await time.advance(1_000);
    expect(service.streams.map(({ after }) => after)).toEqual([2]);
    expect(gate.isFresh).toBe(true);
    expect(await world.ticks("b", 1)).toEqual([true]);
    expect(service.snapshots).toBe(1);
    expect(world.codes).toEqual(["stream_failed"]);
  });

  test("takes a snapshot where the server cannot go on from there", async () => {
    const world = await GateWorld.started(STREAM);
    const { gate, service, time } = world;
    service.announce("a", true);
    await turns();
    service.horizon = 100;
    service.streams[0]?.body.end();
    service.announce("a", false);
    service.announce("b", true);
    await time.advance(1_000);
    expect(service.snapshots).toBe(2);
    expect(gate.isFresh).toBe(true);
    expect(await world.ticks("a", 1)).toEqual([false]);
    expect(await world.ticks("b", 1)).toEqual([true]);
  });

  test("sends everything while the stream does not come as far as the server is", async () => {
    const world = await GateWorld.started(STREAM);
    const { gate, service, time } = world;
    await world.ticks("a", 1);
    service.isSilent = true;
    service.announce("a", true);
    service.streamFails = async () => {
      throw requestError(503);
    };
    await time.advance(5_000);
    expect(gate.isFresh).toBe(false);
    expect(world.codes).toContain("feed_behind");
    expect(world.codes).toContain("stream_failed");
    expect(service.heard("a")).toEqual([1]);
    service.isSilent = false;
    service.streamFails = undefined;
    await time.advance(3_000);
    expect(gate.isFresh).toBe(true);
    expect(await world.ticks("a", 2)).toEqual([true]);
    expect(await world.ticks("b", 1)).toEqual([false]);
  });

  test("a heartbeat with an id says that nothing else has happened up to it", async () => {
    const world = await GateWorld.started(STREAM);
    const { gate, service, time } = world;
    for (let second = 0; second < 10; second++) {
      service.position += 5; // client events, which the stream does not tell
      service.heartbeat();
      await time.advance(1_000);
    }
    expect(gate.isFresh).toBe(true);
    expect(service.snapshots).toBe(1);
    service.streams[0]?.body.destroy();
    await time.advance(1_000);
    expect(service.streams[0]?.after).toBe(service.position);
  });

  test("a stream on which nothing comes for 35 seconds is opened again", async () => {
    const world = await GateWorld.started(STREAM);
    const { service, time } = world;
    const first = service.streams[0]?.body;
    for (const waitMs of [15_000, 15_000, 20_000]) {
      service.comment();
      await time.advance(waitMs);
    }
    expect(service.streams[0]?.body).toBe(first);
    await time.advance(16_000);
    expect(service.streams[0]?.body).not.toBe(first);
    expect(service.streams).toHaveLength(1);
    expect(world.codes).toEqual(["stream_failed"]);
    expect(world.errors[0]?.message).toContain("not even a heartbeat");
  });

  test("what is not as documented ends the connection, and everything is sent", async () => {
    for (const text of [
      "event: occupied\nid: 5\ndata: {\n\n",
      'event: vacated\nid: 5\ndata: {"channel":7,"version":5,"occurred_ms":1}\n\n',
      'event: occupied\nid: 5\ndata: {"channel":"a","version":-1,"occurred_ms":1}\n\n',
      'event: snapshot\ndata: {"channels":[],"last":true}\n\n',
      "event: snapshot\ndata: []\n\n",
    ]) {
      const world = await GateWorld.started(STREAM);
      world.service.streamFails = async () => {
        throw requestError(500);
      };
      world.service.streams[0]?.body.write(text);
      await turns();
      expect(world.codes).toEqual(["stream_failed"]);
      expect(world.errors[0]?.message).toContain("cannot be read");
    }
  });

  test("events that are not known are skipped", async () => {
    const world = await GateWorld.started(STREAM);
    world.service.streams[0]?.body.write('event: weather\nid: 9\ndata: {"sun":true}\n\nretry: 5\n\n');
    world.service.announce("a", true);
    await turns();
    expect(await world.ticks("a", 1)).toEqual([true]);
    expect(world.codes).toEqual([]);
  });

  test("closes its stream", async () => {
    const world = await GateWorld.started(STREAM);
    expect(world.service.streams).toHaveLength(1);
    await world.gate.close();
    await turns();
    expect(world.service.streams).toHaveLength(0);
    await world.time.advance(60_000);
    expect(world.service.streams).toHaveLength(0);
    expect(world.codes).toEqual([]);
  });

  test("a stream whose answer comes after its time is not left open", async () => {
    const world = new GateWorld(STREAM);
    let answer = () => {};
    world.service.streamFails = () =>
      new Promise<void>((resolve) => {
        answer = resolve;
      });
    void world.gate.start();
    await world.time.advance(11_000);
    world.service.streamFails = undefined;
    answer();
    await world.time.advance(2_000);
    expect(world.gate.isFresh).toBe(true);
    expect(world.service.streams).toHaveLength(1);
  });

  test("the periodic snapshot leaves the connection as it is", async () => {
    const world = await GateWorld.started(STREAM);
    const first = world.service.streams[0]?.body;
    for (let minute = 0; minute < 11 * 6; minute++) {
      world.service.comment();
      await world.time.advance(10_000);
    }
    expect(world.service.snapshots).toBe(2);
    expect(world.service.streams.map(({ body }) => body)).toEqual(first === undefined ? [] : [first]);
    expect(world.gate.isFresh).toBe(true);
  });
});
