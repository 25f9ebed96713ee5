import { describe, expect, test } from "bun:test";
import { closeReason } from "./session.ts";
import { FixedApps } from "./testing/fixed-apps.ts";
import { HeldAnswers, heldBus, heldLastEvents, heldOccupancy, settled } from "./testing/held-answers.ts";
import { draft, World } from "./testing/world.ts";

const PING = '{"event":"pusher:ping","data":{}}';
const PONG = '{"event":"pusher:pong","data":"{}"}';
const INVALID_JSON =
  '{"event":"pusher:error","data":{"code":null,"message":"Received invalid JSON","reason":"frameInvalidJson","remedy":"Send one JSON object a message, as text."}}';

const succeeded = (channel: string) =>
  `{"event":"pusher_internal:subscription_succeeded","channel":"${channel}","data":"{}"}`;

describe("messages", () => {
  test("answers pusher:ping with pusher:pong, with and without data", () => {
    const client = new World().connect();
    expect(client.sendText(PING)).toEqual([PONG]);
    expect(client.sendText('{"event": "pusher:ping"}')).toEqual([PONG]);
  });

  test("takes pusher:pong without a word", () => {
    expect(new World().connect().sendText('{"event":"pusher:pong","data":{}}')).toEqual([]);
  });

  test("refuses what is no message and lives on", () => {
    const client = new World().connect();
    expect(client.sendText("{")).toEqual([INVALID_JSON]);
    client.session.receiveBinary();
    expect(client.take()).toEqual([
      '{"event":"pusher:error","data":{"code":null,"message":"Received a binary message","reason":"frameBinary","remedy":"Send text: the protocol has no binary messages."}}',
    ]);
    expect(client.sendText(PING)).toEqual([PONG]);
    expect(client.session.isOpen).toBe(true);
  });

  test("refuses events that are the server's own", () => {
    const client = new World().connect();
    const [frame] = client.send({ event: "pusher_internal:member_added", channel: "presence-x", data: "{}" });
    expect(frame).toBe(
      '{"event":"pusher:error","data":{"code":null,"message":"Unsupported event received on socket:\'pusher_internal:member_added\'","reason":"eventUnsupported","remedy":"Clients may send pusher:subscribe, pusher:unsubscribe, pusher:signin, pusher:ping, pusher:pong and names that start with client-."}}',
    );
  });

  test("refuses a frame over the app's limit and lives on", () => {
    const world = new World({ apps: new FixedApps(draft({ limits: { maxFrameBytes: 1_024 } })) });
    const client = world.connect();
    const [frame] = client.sendText("x".repeat(1_025));
    expect(frame).toContain('"reason":"frameTooLarge","limit":1024,"actual":1025,');
    expect(client.sendText(PING)).toEqual([PONG]);
  });

  test("counts messages and refusals", () => {
    const world = new World();
    const client = world.connect();
    client.sendText("{");
    client.sendText(PING);
    client.session.receiveBinary();
    const tally = world.tallies.of("4711");
    expect(tally.messagesReceived).toBe(3);
    expect([...tally.refusals]).toEqual([
      ["frameInvalidJson", 1],
      ["frameBinary", 1],
    ]);
  });

  test("reports a throw in a handler, answers 'unavailable' and lives on", () => {
    const world = new World();
    world.localOccupancy.join = () => {
      throw new Error("the rows are broken");
    };
    const client = world.connect();
    const frames = client.subscribe("news");
    expect(frames[0]).toContain('"reason":"unavailable"');
    expect(world.failures).toEqual([new Error("the rows are broken")]);
    expect(client.sendText(PING)).toEqual([PONG]);
  });

  test("come to nothing once the session has ended", () => {
    const world = new World();
    const client = world.connect();
    client.vanish();
    expect(client.sendText(PING)).toEqual([]);
    client.session.receiveBinary();
    client.session.send("x");
    expect(client.take()).toEqual([]);
    expect(world.tallies.of("4711").messagesReceived).toBe(0);
  });
});

describe("liveness", () => {
  test("asks a silent client by a ping frame after the activity timeout, once", () => {
    const world = new World();
    const client = world.connect();
    world.clock.advance(119_999);
    world.connections.checkLiveness();
    expect(client.socket.pings).toBe(0);
    world.clock.advance(1);
    world.connections.checkLiveness();
    world.connections.checkLiveness();
    expect(client.socket.pings).toBe(1);
    expect(client.take()).toEqual([]);
  });

  test("closes one that gives no sign of life with 4201, error frame first", () => {
    const world = new World();
    const client = world.connect();
    world.clock.advance(120_000);
    world.connections.checkLiveness();
    world.clock.advance(29_999);
    world.connections.checkLiveness();
    expect(client.session.isOpen).toBe(true);
    world.clock.advance(1);
    world.connections.checkLiveness();
    expect(client.take()).toEqual([
      '{"event":"pusher:error","data":{"code":4201,"message":"Pong reply not received","remedy":"Answer ping frames; reconnect."}}',
    ]);
    expect(client.socket.goodbye).toEqual({ code: 4201, reason: "Pong reply not received" });
  });

  test("takes any sign of life: a text, a binary message, a control frame", () => {
    const signs = [
      (client: ReturnType<World["connect"]>) => client.sendText("{"),
      (client: ReturnType<World["connect"]>) => client.session.receiveBinary(),
      (client: ReturnType<World["connect"]>) => client.session.seen(),
    ];
    for (const sign of signs) {
      const world = new World();
      const client = world.connect();
      world.clock.advance(120_000);
      world.connections.checkLiveness();
      sign(client);
      world.clock.advance(119_999);
      world.connections.checkLiveness();
      expect(client.session.isOpen).toBe(true);
      expect(client.socket.pings).toBe(1);
    }
  });

  test("keeps a client for hours that only answers ping frames", () => {
    const world = new World();
    const client = world.connect();
    for (let minute = 0; minute < 600; minute++) {
      world.clock.advance(60_000);
      const pings = client.socket.pings;
      world.connections.checkLiveness();
      if (client.socket.pings > pings) client.session.seen();
    }
    expect(client.session.isOpen).toBe(true);
  });

  test("ends the presence of one that died", () => {
    const world = new World();
    const stays = world.connect();
    const dies = world.connect();
    stays.subscribe("presence-x", '{"user_id":"u-8"}');
    dies.subscribe("presence-x", '{"user_id":"u-7"}');
    stays.take();
    world.clock.advance(120_000);
    world.connections.checkLiveness();
    stays.session.seen();
    world.clock.advance(30_000);
    world.connections.checkLiveness();
    expect(stays.take()).toEqual([
      '{"event":"pusher_internal:member_removed","channel":"presence-x","data":"{\\"user_id\\":\\"u-7\\"}"}',
    ]);
  });
});

describe("the end", () => {
  test("leaves every channel, tells the app's tally, acts once", () => {
    const world = new World();
    const client = world.connect();
    for (const channel of ["news", "private-x", "cache-x"]) client.subscribe(channel);
    client.subscribe("presence-x", '{"user_id":"u-7"}');
    expect(world.occupied().sort()).toEqual(["cache-x", "news", "presence-x", "private-x"]);
    client.vanish();
    client.session.closed();
    expect(world.occupied()).toEqual([]);
    expect(world.topics.occupied).toEqual([]);
    expect(world.tallies.of("4711")).toMatchObject({
      connections: 0,
      subscriptions: 0,
      connectionsOpened: 1,
    });
    expect(world.connections.find("4711", client.socketId)).toBeUndefined();
  });

  test("is final although a back end breaks while the channels are left", () => {
    const world = new World();
    const client = world.connect();
    client.subscribe("news");
    client.subscribe("sport");
    const leave = world.localOccupancy.leave.bind(world.localOccupancy);
    world.localOccupancy.leave = (gone) => {
      if (gone.channel === "news") throw new Error("the rows are broken");
      return leave(gone);
    };
    world.connections.shutDown();
    expect(client.socket.goodbye).toEqual({ code: 4200, reason: "Please reconnect immediately" });
    expect(world.failures).toEqual([new Error("the rows are broken")]);
    expect(world.occupied()).toEqual(["news"]);
  });
});

describe("a close reason", () => {
  test("has at most 123 bytes and ends at a character", () => {
    expect(closeReason("Pong reply not received")).toBe("Pong reply not received");
    expect(closeReason("x".repeat(200))).toBe("x".repeat(123));
    expect(closeReason("€".repeat(50))).toBe("€".repeat(41));
    expect(closeReason(`x${"😀".repeat(50)}`)).toBe(`x${"😀".repeat(30)}`);
    expect(closeReason(`App key ${"ä".repeat(1_000)}`)).toBe(`App key ${"ä".repeat(57)}`);
  });
});

describe("with a back end that answers later", () => {
  const heldWorld = (maxQueuedMessages?: number) => {
    const answers = new HeldAnswers();
    const world = new World({
      occupancy: (local) => heldOccupancy(local, answers),
      ...(maxQueuedMessages === undefined ? {} : { maxQueuedMessages }),
    });
    return { answers, world };
  };

  test("keeps one client's frames in order: subscribe, unsubscribe, subscribe, ping", async () => {
    const { answers, world } = heldWorld();
    const client = world.connect();
    expect(client.subscribe("news")).toEqual([]);
    expect(client.unsubscribe("news")).toEqual([]);
    expect(client.subscribe("news")).toEqual([]);
    expect(client.sendText(PING)).toEqual([]);
    expect(answers.count).toBe(1);
    await answers.release();
    expect(client.take()).toEqual([succeeded("news")]);
    await answers.release();
    expect(client.take()).toEqual([]);
    await answers.release();
    expect(client.take()).toEqual([succeeded("news"), PONG]);
    expect(answers.count).toBe(0);
    expect(world.occupied()).toEqual(["news"]);
    expect(world.localOccupancy.counts("4711", "news").subscriptions).toBe(1);
  });

  test("answers the other clients meanwhile", async () => {
    const { answers, world } = heldWorld();
    const [waits, goesOn] = [world.connect(), world.connect()];
    waits.subscribe("news");
    expect(goesOn.sendText(PING)).toEqual([PONG]);
    goesOn.subscribe("news");
    await answers.release(1);
    expect(goesOn.take()).toEqual([succeeded("news")]);
    expect(waits.take()).toEqual([]);
    await answers.release();
    expect(waits.take()).toEqual([succeeded("news")]);
  });

  test("sees a second subscribe while the first one waits, and refuses it when its turn comes", async () => {
    const { answers, world } = heldWorld();
    const client = world.connect();
    client.subscribe("news");
    client.subscribe("news");
    await answers.releaseAll();
    const frames = client.take();
    expect(frames[0]).toBe(succeeded("news"));
    expect(frames[1]).toContain('"message":"Existing subscription to channel news"');
    expect(frames).toHaveLength(2);
    expect(world.localOccupancy.counts("4711", "news").subscriptions).toBe(1);
  });

  test("leaves no row where the connection ends during a join", async () => {
    const { answers, world } = heldWorld();
    const client = world.connect();
    client.subscribe("presence-x", '{"user_id":"u-7"}');
    client.subscribe("private-x");
    client.vanish();
    await answers.releaseAll();
    expect(world.occupied()).toEqual([]);
    expect(world.topics.occupied).toEqual([]);
    expect(world.tallies.of("4711")).toMatchObject({ connections: 0, subscriptions: 0 });
    expect(client.take()).toEqual([]);
    expect(world.failures).toEqual([]);
  });

  test("leaves no row where the connection ends during a leave, or while messages wait", async () => {
    const { answers, world } = heldWorld();
    const client = world.connect();
    client.subscribe("news");
    client.subscribe("sport");
    await answers.releaseAll();
    client.unsubscribe("news");
    client.subscribe("weather");
    client.vanish();
    await answers.releaseAll();
    expect(world.occupied()).toEqual([]);
    expect(world.tallies.of("4711").subscriptions).toBe(0);
  });

  test("refuses a join that fails with three frames, and nothing stays", async () => {
    const { answers, world } = heldWorld();
    const client = world.connect();
    client.subscribe("private-x");
    client.sendText(PING);
    await answers.fail(new Error("no answer"));
    expect(client.take()).toEqual([
      '{"event":"pusher:error","data":{"code":null,"message":"The server could not answer","reason":"unavailable","remedy":"Try again; the server\'s log says why."}}',
      '{"event":"pusher_internal:subscription_error","channel":"private-x","data":"{\\"type\\":\\"Unavailable\\",\\"error\\":\\"The server could not answer\\",\\"status\\":503}"}',
      '{"event":"pusher:subscription_error","channel":"private-x","data":"{\\"type\\":\\"Unavailable\\",\\"error\\":\\"The server could not answer\\",\\"status\\":503}"}',
      PONG,
    ]);
    expect(world.failures).toEqual([new Error("no answer")]);
    expect(world.occupied()).toEqual([]);
    expect(world.tallies.of("4711").subscriptions).toBe(0);
    client.subscribe("private-x");
    await answers.releaseAll();
    expect(client.take()).toEqual([succeeded("private-x")]);
  });

  test("answers a leave that fails with an error, and goes on", async () => {
    const { answers, world } = heldWorld();
    const client = world.connect();
    client.subscribe("news");
    await answers.releaseAll();
    client.take();
    client.unsubscribe("news");
    client.sendText(PING);
    await answers.fail(new Error("no answer"));
    const frames = client.take();
    expect(frames[0]).toContain('"reason":"unavailable"');
    expect(frames[1]).toBe(PONG);
    expect(world.failures).toEqual([new Error("no answer")]);
  });

  test("closes a client with 4100 that sends more than may wait", async () => {
    const { answers, world } = heldWorld(3);
    const client = world.connect();
    client.subscribe("news");
    for (let message = 0; message < 3; message++) expect(client.sendText(PING)).toEqual([]);
    expect(client.socket.goodbye).toBeUndefined();
    expect(client.sendText(PING)).toEqual([
      '{"event":"pusher:error","data":{"code":4100,"message":"Over capacity: messages arrive faster than they can be answered","limit":3,"actual":4,"remedy":"Wait for answers before you send more, or raise the setting socket.maxQueuedMessages; reconnect after a second or more."}}',
    ]);
    expect(client.socket.goodbye).toMatchObject({ code: 4100 });
    await answers.releaseAll();
    expect(client.take()).toEqual([]);
    expect(world.occupied()).toEqual([]);
  });

  test("keeps no message that is too large while it waits", async () => {
    const { answers, world } = heldWorld(3);
    const client = world.connect();
    client.subscribe("news");
    for (let message = 0; message < 100; message++) {
      const [frame, ...more] = client.sendText("x".repeat(100_000));
      expect(frame).toContain('"reason":"frameTooLarge"');
      expect(more).toEqual([]);
    }
    expect(client.session.isOpen).toBe(true);
    await answers.releaseAll();
    expect(client.take()).toEqual([succeeded("news")]);
  });

  test("keeps the order of frames with every port late, whatever order the answers come in", async () => {
    const answers = new HeldAnswers();
    const world = new World({
      occupancy: (local) => heldOccupancy(local, answers),
      lastEvents: (local) => heldLastEvents(local, answers),
      bus: (local) => heldBus(local, answers),
    });
    world.localLastEvents.remember("4711", "presence-cache-x", { name: "price", data: "1" }, 60);
    const [first, second] = [world.connect(), world.connect()];
    first.subscribe("presence-cache-x", '{"user_id":"u-7"}');
    first.sendText(PING);
    second.subscribe("presence-cache-x", '{"user_id":"u-8"}');
    second.sendText(PING);
    for (let last = answers.count - 1; answers.count > 0; last = answers.count - 1)
      await answers.release(last);
    await settled();
    for (const client of [first, second]) {
      const events = client.take().map((frame) => /"event":"([^"]+)"/.exec(frame)?.[1]);
      const own = events.filter((event) => event !== "pusher_internal:member_added");
      expect(own).toEqual(["pusher_internal:subscription_succeeded", "price", "pusher:pong"]);
    }
    expect(world.failures).toEqual([]);
  });
});
