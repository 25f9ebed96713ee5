import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { ProtocolError } from "@earshot/protocol/errors";
import { Query } from "@earshot/protocol/query";
import type { Outbox } from "#core/ports";
import { HeldAnswers, settled } from "#core/testing/held-answers";
import type { ManualAlarm } from "#core/testing/manual-alarm";
import { SeededChance } from "#core/testing/seeded-chance";
import { draft, PAIR, World } from "#core/testing/world";
import { until } from "../../../../../test/support/until.ts";
import { occupancy } from "./occupancy.ts";
import { apiPartsOf } from "./testing/api-parts.ts";
import { but } from "./testing/changed-outbox.ts";
import { type ReadEvent, StreamReader } from "./testing/stream-reader.ts";

const APP = "4711";

interface Asked {
  readonly query?: string;
  readonly lastEventId?: string;
}

/** A world with streams, whose outbox counts those that listen to it. */
function streams() {
  const world = new World();
  const parts = apiPartsOf(world);
  const { outbox } = world;
  const onCommitted = outbox.onCommitted.bind(outbox);
  const seen = { listeners: 0, keptOpen: 0 };
  outbox.onCommitted = (listener) => {
    seen.listeners++;
    const leave = onCommitted(listener);
    return () => {
      seen.listeners--;
      leave();
    };
  };
  const ask = ({ query = "", lastEventId }: Asked = {}, from: Outbox = outbox) => {
    const headers = lastEventId === undefined ? undefined : { "Last-Event-ID": lastEventId };
    const request = new Request("http://h/", headers === undefined ? {} : { headers });
    const authentic = {
      app: world.app(),
      query: new Query(`auth_key=${PAIR.key}&${query}`),
      body: new Uint8Array(),
    };
    const keepOpen = () => {
      seen.keptOpen++;
    };
    return occupancy({ ...parts, outbox: from }, authentic, [], { request, keepOpen });
  };
  const open = async (asked?: Asked, from?: Outbox) => {
    const answer = await ask(asked, from);
    if (answer instanceof ProtocolError) throw new Error(answer.message);
    return new StreamReader(answer);
  };
  return { world, outbox, alarm: parts.alarm, seen, ask, open };
}

function state(channel: string, version: number, count: number, occurredMs = 1_700_000_000_000) {
  return { channel, version, count, occurred_ms: occurredMs };
}

describe("a snapshot", () => {
  test("is one page where nothing is occupied, and carries the position of the cut", async () => {
    const { ask, seen } = streams();
    const answer = await ask();
    if (answer instanceof ProtocolError) throw new Error(answer.message);
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    expect(seen.keptOpen).toBe(1);
    expect(await new StreamReader(answer).take(1)).toEqual([
      { name: "snapshot", id: "0", data: { last: true, channels: [] } },
    ]);
  });

  test("holds the channels that are occupied, and neither members nor what is vacant", async () => {
    const { outbox, open } = streams();
    const news = outbox.occupied(APP, "news", 2);
    const room = outbox.occupied(APP, "presence-room");
    outbox.memberAdded(APP, "presence-room", "u-7");
    outbox.occupied(APP, "gone");
    const position = outbox.vacated(APP, "gone");
    outbox.occupied("4712", "another app's");
    expect(await (await open()).take(1)).toEqual([
      {
        name: "snapshot",
        id: String(position),
        data: { last: true, channels: [state("news", news, 2), state("presence-room", room, 1)] },
      },
    ]);
  });

  test("comes in pages of a thousand, of which the last alone has an id", async () => {
    for (const [channels, sizes] of [
      [1_000, [1_000]],
      [1_001, [1_000, 1]],
      [2_500, [1_000, 1_000, 500]],
    ] as const) {
      const { outbox, open } = streams();
      for (let channel = 0; channel < channels; channel++) outbox.occupied(APP, `c${channel}`);
      const pages = await (await open()).take(sizes.length);
      expect(pages.map(({ data }) => Object(data).channels.length)).toEqual([...sizes]);
      expect(pages.map(({ id }) => id)).toEqual([
        ...sizes.slice(1).map(() => undefined),
        String(outbox.position(APP)),
      ]);
      expect(pages.map(({ data }) => Object(data).last)).toEqual([
        ...sizes.slice(1).map(() => undefined),
        true,
      ]);
    }
  });

  test("holds the channels with the prefix that was asked for", async () => {
    const { outbox, open } = streams();
    outbox.occupied(APP, "news");
    const version = outbox.occupied(APP, "private-x");
    const reader = await open({ query: "filter_by_prefix=private-" });
    expect(Object((await reader.take(1))[0]?.data).channels).toEqual([state("private-x", version, 1)]);
  });
});

describe("what changes", () => {
  test("is told when it is committed, and nothing else is", async () => {
    const { outbox, open } = streams();
    const reader = await open({ query: "filter_by_prefix=presence-" });
    await reader.take(1);
    outbox.commitsAtOnce = false;
    const occupied = outbox.occupied(APP, "presence-room", 3);
    outbox.memberAdded(APP, "presence-room", "u-7");
    outbox.append(APP, { name: "cache_miss", channel: "presence-cache" });
    outbox.occupied(APP, "news");
    outbox.occupied("4712", "presence-room");
    const vacated = outbox.vacated(APP, "presence-room");
    outbox.commit();
    expect(await reader.take(2)).toEqual([
      { name: "occupied", id: String(occupied), data: state("presence-room", occupied, 3) },
      { name: "vacated", id: String(vacated), data: state("presence-room", vacated, 0) },
    ]);
  });

  test("is told from where the reader left off, named by header or query", async () => {
    const { outbox, open } = streams();
    const first = outbox.occupied(APP, "a");
    const second = outbox.vacated(APP, "a");
    const third = outbox.occupied(APP, "b");
    const header = await open({ lastEventId: String(first), query: `last_event_id=${third}` });
    const query = await open({ query: `last_event_id=${first}` });
    const next = outbox.vacated(APP, "b");
    for (const reader of [header, query])
      expect((await reader.take(4)).map(({ name, id }) => [name, id])).toEqual([
        ["heartbeat", String(first)],
        ["vacated", String(second)],
        ["occupied", String(third)],
        ["vacated", String(next)],
      ]);
    const upToDate = await open({ lastEventId: String(next) });
    expect(await upToDate.take(1)).toEqual([
      { name: "heartbeat", id: String(next), data: { position: next } },
    ]);
  });

  test("is told by a snapshot where the id is too old, not reached yet, or none", async () => {
    const { outbox, open } = streams();
    const old = outbox.occupied(APP, "a");
    const trimmed = outbox.vacated(APP, "a");
    const position = outbox.occupied(APP, "b");
    outbox.trim(APP, trimmed);
    for (const id of [old, position + 1, "", "x", "-1", "1e3", "9".repeat(40)]) {
      const reader = await open({ lastEventId: String(id) });
      expect(await reader.take(1)).toMatchObject([{ name: "snapshot", id: String(position) }]);
    }
    const reader = await open({ lastEventId: String(trimmed) });
    expect(await reader.take(2)).toMatchObject([{ name: "heartbeat" }, { name: "occupied" }]);
  });

  test("is told however much of it was missed", async () => {
    const { outbox, open, alarm } = streams();
    const start = outbox.occupied(APP, "first");
    const versions = Array.from({ length: 3_000 }, (_, at) => outbox.occupied(APP, `c${at}`));
    const reader = await open({ lastEventId: String(start) });
    const reading = reader.take(3_001);
    while (alarm.waiting > 1) {
      alarm.advance(0);
      await settled();
    }
    expect((await reading).slice(1).map(({ id }) => Number(id))).toEqual(versions);
  });

  test("is told by a heartbeat where none of it concerns the reader, so that resuming needs no old entries", async () => {
    const { outbox, open, alarm } = streams();
    const reader = await open({ query: "filter_by_prefix=private-" });
    await reader.take(1);
    const passedBy = outbox.occupied(APP, "news");
    alarm.advance(250);
    expect(await reader.take(1)).toEqual([
      { name: "heartbeat", id: String(passedBy), data: { position: passedBy } },
    ]);
    const told = outbox.occupied(APP, "private-x");
    alarm.advance(14_750);
    expect(await reader.take(2)).toMatchObject([
      { name: "occupied", id: String(told) },
      { name: "heartbeat", id: String(told) },
    ]);
    outbox.occupied(APP, "other");
    alarm.advance(249);
    const latest = outbox.vacated(APP, "news");
    alarm.advance(1);
    expect(await reader.take(1)).toEqual([
      { name: "heartbeat", id: String(latest), data: { position: latest } },
    ]);
    expect(latest).toBeGreaterThan(passedBy);
  });
});

/** The outbox of a back end that answers later: with what it knew when it was asked, or with what it knows by then. */
class LateOutbox {
  readonly #waiting: (() => void)[] = [];
  readonly #chance: SeededChance;

  constructor(chance: SeededChance) {
    this.#chance = chance;
  }

  of(real: Outbox): Outbox {
    return but(real, {
      position: (appId) => this.#later(() => real.position(appId)),
      horizon: (appId) =>
        this.#chance.integer(2) === 0 ? real.horizon(appId) : this.#later(() => real.horizon(appId)),
      read: (query) => this.#later(() => real.read(query)),
      snapshot: (appId, prefix, withMembers) => this.#later(() => real.snapshot(appId, prefix, withMembers)),
      // In order, but what it tells may have been read by then.
      onCommitted: (listener) =>
        real.onCommitted((appId, entries) => this.#waiting.push(() => listener(appId, entries))),
    });
  }

  async release(): Promise<void> {
    this.#waiting.shift()?.();
    await settled();
  }

  /** Lets everything go that is asked for until nothing is any more. */
  async finish<T>(opening: Promise<T>, alarm: ManualAlarm): Promise<T> {
    while (this.#waiting.length > 0 || alarm.waiting > 1) {
      await this.release();
      alarm.advance(250); // a reader whom nothing concerned is told its place by then
    }
    return opening;
  }

  #later<T>(ask: () => T | Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    const known = this.#chance.integer(2) === 0 ? ask() : undefined;
    this.#waiting.push(() => resolve(known ?? ask()));
    return promise;
  }
}

test("nothing is missing and nothing comes twice, whatever is committed while it is read", async () => {
  let livesToTheEnd = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const chance = new SeededChance(seed);
    const { outbox, open, alarm } = streams();
    const late = new LateOutbox(chance);
    const occupied = new Set<string>();
    const changeSomething = () => {
      const channel = `c${chance.integer(5)}`;
      if (chance.integer(4) === 0) outbox.append(APP, { name: "cache_miss", channel });
      else if (occupied.delete(channel)) outbox.vacated(APP, channel);
      else {
        outbox.occupied(APP, channel);
        occupied.add(channel);
      }
    };
    /** What a reader makes of it. */
    const seen = new Map<string, string | undefined>();
    let lastId: string | undefined;
    let place = -1;
    const take = (events: readonly ReadEvent[]) => {
      for (const { name, id, data } of events) {
        const at = `seed ${seed}: ${name} ${id} after ${place}`;
        if (name === "snapshot") {
          seen.clear();
          for (const { channel } of Object(data).channels) seen.set(channel, "occupied");
        } else if (name !== "heartbeat") {
          if (Number(id) <= place) throw new Error(`${at} came before`);
          const { channel } = Object(data);
          if (seen.get(channel) === name) throw new Error(`${at}: something was left out`);
          seen.set(channel, name);
        }
        if (id !== undefined) [lastId, place] = [id, Number(id)];
      }
    };
    for (let life = 0; life < 3; life++) {
      const opening = open(lastId === undefined ? {} : { lastEventId: lastId }, late.of(outbox));
      for (let step = 0; step < 30; step++) {
        for (let burst = chance.integer(3); burst > 0; burst--) changeSomething();
        if (chance.integer(60) === 0) outbox.trim(APP, outbox.position(APP));
        await late.release();
        alarm.advance(0);
      }
      const reader = await late.finish(opening, alarm);
      alarm.advance(15_000);
      let isRight = false;
      for (
        let events = await reader.take(1);
        events.length > 0;
        events = isRight ? [] : await reader.take(1)
      ) {
        take(events);
        isRight = place === outbox.position(APP);
      }
      const present = [...seen].filter(([, name]) => name === "occupied").map(([channel]) => channel);
      if (isRight) expect([seed, ...present.sort()]).toEqual([seed, ...[...occupied].sort()]);
      livesToTheEnd += isRight ? 1 : 0;
      await reader.cancel();
      if (chance.integer(2) === 0) outbox.trim(APP, outbox.position(APP));
      for (let missed = chance.integer(10); missed > 0; missed--) changeSomething();
    }
  }
  expect(livesToTheEnd).toBeGreaterThan(100); // the others lost their place to a trim, and came back
});

describe("a reader", () => {
  test("without room costs no memory, and finds everything where it left off", async () => {
    const { world, outbox, open, alarm } = streams();
    const reader = await open();
    const versions: number[] = [];
    for (let second = 0; second < 20; second++) {
      world.clock.advance(1);
      for (let channel = 0; channel < 200; channel++)
        versions.push(outbox.occupied(APP, `c${second}-${channel}`));
    }
    const reads = countReads(outbox);
    await settled();
    expect(reads()).toBe(0);
    const reading = reader.take(4_001);
    for (let turn = 0; turn < 50; turn++) {
      alarm.advance(0);
      await settled();
    }
    const [first, ...changes] = await reading;
    expect(first).toMatchObject({ name: "snapshot" });
    expect(changes.map(({ id }) => Number(id))).toEqual(versions);
  });

  test("that has stopped is let go", async () => {
    const { outbox, open, alarm, seen } = streams();
    const reader = await open();
    for (let channel = 0; channel < 2_000; channel++) outbox.occupied(APP, `channel-${channel}`);
    alarm.advance(15_000);
    expect(seen.listeners).toBe(1);
    alarm.advance(15_000);
    alarm.advance(15_000);
    expect(seen.listeners).toBe(0);
    expect(alarm.waiting).toBe(0);
    expect(reader.take(1)).rejects.toThrow("has stopped");
  });

  test("that is merely slow is not", async () => {
    const { world, outbox, open, alarm, seen } = streams();
    const reader = await open();
    for (let quarter = 0; quarter < 10; quarter++) {
      world.clock.advance(1);
      for (let channel = 0; channel < 1_000; channel++) outbox.occupied(APP, `c${quarter}-${channel}`);
      alarm.advance(15_000);
      await reader.take(700);
      alarm.advance(0);
      await settled();
    }
    expect(seen.listeners).toBe(1);
  });

  test("whose place has been trimmed away is sent to get a snapshot", async () => {
    const { outbox, open, alarm, seen } = streams();
    const reader = await open();
    for (let channel = 0; channel < 5_000; channel++) outbox.occupied(APP, `channel-${channel}`);
    outbox.trim(APP, outbox.position(APP));
    const events = await reader.take(5_001);
    expect(events.length).toBeWithin(2, 5_000);
    expect(await reader.hasEnded()).toBe(true);
    expect([seen.listeners, alarm.waiting]).toEqual([0, 0]);
  });

  test("that goes away leaves nothing behind", async () => {
    const { open, alarm, seen, outbox } = streams();
    const reader = await open();
    await reader.take(1);
    await reader.cancel();
    expect([seen.listeners, alarm.waiting]).toEqual([0, 0]);
    outbox.occupied(APP, "news");
  });

  test("goes when its key is revoked, and when its app is disabled or deleted, not when anything else changes", async () => {
    const { world, open, alarm, seen } = streams();
    const two = [
      { ...PAIR, createdMs: 1, revoked: false },
      { key: "other", secret: "x", createdMs: 2, revoked: false },
    ];
    const changes = [
      () => world.apps.put(draft({ enabled: false })),
      () => world.apps.put(draft({ keys: two.map((pair) => ({ ...pair, revoked: pair.key === PAIR.key })) })),
      () => world.apps.put(draft({ keys: two.slice(1) })),
      () => world.apps.remove(APP),
    ];
    for (const change of changes) {
      world.apps.put(draft());
      const reader = await open();
      world.apps.put(draft({ keys: two, allowedOrigins: ["https://a.example"] }));
      world.apps.put(draft({ id: "4712", enabled: false }));
      expect(seen.listeners).toBe(1);
      change();
      expect(await reader.take(2)).toMatchObject([{ name: "snapshot" }]);
      expect(await reader.hasEnded()).toBe(true);
      expect([seen.listeners, alarm.waiting]).toEqual([0, 0]);
    }
  });
});

test("a reader who stops on the other side of the network costs what the network holds, and is hung up on", async () => {
  const { world, outbox, alarm, seen, ask } = streams();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    fetch: async () => {
      const answer = await ask();
      return answer instanceof ProtocolError ? new Response(answer.message, { status: 503 }) : answer;
    },
  });
  let gotBytes = 0;
  let isClosed = false;
  const socket = connect(Number(server.port), "127.0.0.1", () =>
    socket.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
  );
  socket.on("data", (bytes) => {
    gotBytes += bytes.length;
    socket.pause();
  });
  socket.on("error", () => {}); // the connection is reset
  socket.on("close", () => {
    isClosed = true;
  });
  await until("the stream begins", () => gotBytes > 0);
  const name = "x".repeat(150);
  for (let round = 0; round < 100; round++) {
    world.clock.advance(1);
    for (let channel = 0; channel < 1_000; channel++) outbox.occupied(APP, `${name}${round}-${channel}`);
    await Bun.sleep(0); // the runtime takes from the stream what it can send
    alarm.advance(0);
  }
  for (let heartbeat = 0; heartbeat < 3; heartbeat++) {
    alarm.advance(15_000);
    await Bun.sleep(0);
  }
  expect([seen.listeners, alarm.waiting]).toEqual([0, 0]);
  socket.on("data", () => socket.resume());
  socket.resume();
  await until("the connection is closed", () => isClosed);
  expect(gotBytes).toBeLessThan(12_000_000); // of more than 20 MB
  await server.stop(true);
});

test("a stream that must end before it could begin does not begin", async () => {
  for (const lastEventId of ["0", "x"]) {
    const { world, outbox, open, alarm, seen } = streams();
    const answers = new HeldAnswers();
    const opening = open(
      { lastEventId },
      but(outbox, {
        position: (appId) => answers.hold(() => outbox.position(appId)),
        snapshot: (appId, prefix) => answers.hold(() => outbox.snapshot(appId, prefix, false)),
      }),
    );
    world.apps.remove(APP);
    await answers.releaseAll();
    expect(await (await opening).hasEnded()).toBe(true);
    expect([seen.listeners, alarm.waiting]).toEqual([0, 0]);
  }
});

describe("what is not known completely", () => {
  const problem = new Error("node b2 has not said what it holds");

  test("is answered with 503 and the reason", async () => {
    const { outbox, ask, seen, alarm } = streams();
    const failing = (over: Partial<Outbox>) => ask({ lastEventId: "0" }, but(outbox, over));
    const throwing = () => {
      throw problem;
    };
    const answers = await Promise.all([
      failing({ position: throwing }),
      failing({ position: () => Promise.reject(problem) }),
      failing({ horizon: () => Promise.reject(problem) }),
      failing({ position: () => -1, snapshot: throwing }),
      failing({ position: () => -1, snapshot: () => Promise.reject(problem) }),
    ]);
    for (const answer of answers)
      expect(answer).toMatchObject({
        reason: "apiUnavailable",
        status: 503,
        message: "The state is not known right now: node b2 has not said what it holds",
      });
    expect([seen.listeners, seen.keptOpen, alarm.waiting]).toEqual([0, 0, 0]);
  });

  test("ends a stream that is under way", async () => {
    for (const read of [
      () => Promise.reject(problem),
      () => {
        throw problem;
      },
    ]) {
      const { outbox, open, seen, alarm } = streams();
      const reader = await open({}, but(outbox, { read }));
      expect(await reader.take(2)).toMatchObject([{ name: "snapshot" }]);
      expect(await reader.hasEnded()).toBe(true);
      expect([seen.listeners, alarm.waiting]).toEqual([0, 0]);
    }
  });
});

function countReads(outbox: Outbox): () => number {
  const read = outbox.read.bind(outbox);
  let reads = 0;
  outbox.read = (query) => {
    reads++;
    return read(query);
  };
  return () => reads;
}
