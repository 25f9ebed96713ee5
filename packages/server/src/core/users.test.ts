import { describe, expect, test } from "bun:test";
import * as frames from "@earshot/protocol/server-message";
import { signChannel, signUser } from "@earshot/protocol/signature";
import { nodeDigest } from "@earshot/protocol/testing/node-digest";
import fc from "fast-check";
import { FixedApps } from "./testing/fixed-apps.ts";
import { HeldAnswers, heldOnlineUsers, heldTerminations, settled } from "./testing/held-answers.ts";
import { type Client, draft, PAIR, World, type WorldParts } from "./testing/world.ts";

const PONG = '{"event":"pusher:pong","data":"{}"}';
const PING = '{"event":"pusher:ping"}';

const succeeded = (channel: string) =>
  `{"event":"pusher_internal:subscription_succeeded","channel":"${channel}","data":"{}"}`;
const signedIn = (userData: unknown) => frames.signinSuccess(JSON.stringify(userData));

const reasons = (received: readonly string[]) =>
  received.map((frame) => /"reason":"(\w+)"/.exec(frame)?.[1] ?? frame);

function subscribe(client: Client, channel: string, auth?: string): string[] {
  return client.send({ event: "pusher:subscribe", data: { channel, auth } });
}

function signIn(client: Client, data: unknown): string[] {
  return client.send({ event: "pusher:signin", data });
}

const limited = (limits: Record<string, number>): WorldParts => ({ apps: new FixedApps(draft({ limits })) });

describe("a sign-in", () => {
  test("is confirmed with the very string that was signed, in a frame without a channel", () => {
    const client = new World().connect();
    const text = '{ "id": "u-7",  "user_info": {"name": "Zoë"} }';
    expect(client.signIn(text)).toEqual([
      '{"event":"pusher:signin_success","data":"{\\"user_data\\":\\"{ \\\\\\"id\\\\\\": \\\\\\"u-7\\\\\\",  \\\\\\"user_info\\\\\\": {\\\\\\"name\\\\\\": \\\\\\"Zoë\\\\\\"} }\\"}"}',
    ]);
  });

  test("may come as doubly encoded data, and at any time", () => {
    const client = new World().connect();
    client.subscribe("private-x");
    const userData = '{"id":"u-7"}';
    const auth = signUser(nodeDigest, PAIR, client.socketId, userData);
    expect(signIn(client, JSON.stringify({ auth, user_data: userData }))).toEqual([signedIn({ id: "u-7" })]);
  });

  test("is refused with a wrong signature, and the connection lives on", () => {
    const client = new World().connect();
    const userData = '{"id":"u-7"}';
    const good = signUser(nodeDigest, PAIR, client.socketId, userData);
    const asChannel = signChannel(nodeDigest, PAIR, client.socketId, "user", userData);
    const cases: [auth: unknown, reason: string][] = [
      [undefined, "signatureInvalid"],
      ["", "signatureInvalid"],
      [7, "signatureInvalid"],
      [{}, "signatureInvalid"],
      [PAIR.key, "signatureInvalid"],
      [`${PAIR.key}:`, "signatureInvalid"],
      [`${good}0`, "signatureInvalid"],
      [good.toUpperCase(), "signInKeyInvalid"],
      [asChannel, "signatureInvalid"],
      [`nobody:${good.split(":")[1]}`, "signInKeyInvalid"],
      [`${PAIR.key}::user::${good.split(":")[1]}`, "signatureInvalid"],
    ];
    for (const [auth, reason] of cases) {
      expect(reasons(signIn(client, { auth, user_data: userData }))).toEqual([reason]);
    }
    expect(client.session.user).toBeUndefined();
    expect(client.sendText(PING)).toEqual([PONG]);
    expect(signIn(client, { auth: good, user_data: userData })).toEqual([signedIn({ id: "u-7" })]);
  });

  test("says which string had to be signed", () => {
    const client = new World().connect();
    const [frame] = signIn(client, { auth: `${PAIR.key}:0000`, user_data: '{"id":"u-7"}' });
    expect(frame).toContain(
      `Invalid signature: Expected HMAC SHA256 hex digest of ${client.socketId}::user::{\\"id\\":\\"u-7\\"}, but got 0000`,
    );
  });

  test("of another connection is not taken: a signature is for one socket id", () => {
    const world = new World();
    const [first, second] = [world.connect(), world.connect()];
    const auth = signUser(nodeDigest, PAIR, first.socketId, '{"id":"u-7"}');
    expect(reasons(signIn(second, { auth, user_data: '{"id":"u-7"}' }))).toEqual(["signatureInvalid"]);
  });

  test("with a revoked key is refused", () => {
    const revoked = { ...PAIR, createdMs: 1, revoked: true };
    const other = { key: "other", secret: "secret", createdMs: 2, revoked: false };
    const world = new World({ apps: new FixedApps(draft({ keys: [revoked, other] })) });
    expect(reasons(world.connect({ key: "other" }).signIn({ id: "u-7" }))).toEqual(["signInKeyInvalid"]);
  });

  test("without user_data, or with user_data that is no string, is refused before anything is hashed", () => {
    const client = new World().connect();
    for (const data of [undefined, null, 7, "x", [], {}, { user_data: { id: "u-7" } }, { user_data: null }]) {
      expect(reasons(signIn(client, data))).toEqual(["userDataInvalid"]);
    }
  });

  test("of the same user again succeeds again, and takes the new info", () => {
    const world = new World();
    const client = world.connect();
    client.signIn({ id: "u-7", user_info: { name: "old" } });
    expect(client.signIn({ id: "u-7", user_info: { name: "new" } })).toEqual([
      signedIn({ id: "u-7", user_info: { name: "new" } }),
    ]);
    expect(client.session.user?.infoJson).toBe('{"name":"new"}');
    expect(world.tallies.of("4711").signedInUsers).toBe(1);
  });

  test("as another user is refused, and the first one stays", () => {
    const client = new World().connect();
    client.signIn({ id: "u-7" });
    const [frame] = client.signIn({ id: "u-8" });
    expect(frame).toContain(
      '"code":null,"message":"This connection is already signed in as another user: u-7","reason":"signedInAsAnother"',
    );
    expect(client.session.user?.id).toBe("u-7");
    expect(subscribe(client, "#server-to-user-u-7")).toEqual([succeeded("#server-to-user-u-7")]);
  });

  test("replayed a thousand times holds no more than one", () => {
    const world = new World(watched());
    const client = world.connect();
    for (let round = 0; round < 1_000; round++) {
      expect(client.signIn({ id: "u-7", watchlist: ["u-8"] })).toHaveLength(2);
    }
    expect(world.topics.occupied).toEqual(["4711/#watched-u-8"]);
    client.vanish();
    expect(world.topics.occupied).toEqual([]);
    expect(world.localOnline.online("4711", ["u-7"]).size).toBe(0);
  });

  test("with any user_data whatever is answered by one frame, and never throws", () => {
    const world = new World();
    const watchdog = world.connect();
    const value = fc.oneof(fc.string({ unit: "binary" }), fc.jsonValue());
    const userData = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc
        .record({ id: value, user_info: value, watchlist: fc.oneof(fc.array(value), value) })
        .map((data) => JSON.stringify(data)),
    );
    fc.assert(
      fc.property(userData, (text) => {
        const client = world.connect();
        const answers = client.signIn(text);
        expect(answers).toHaveLength(1);
        expect(answers[0]).toMatch(/^\{"event":"pusher:(signin_success|error)","data":/);
        expect(client.sendText(PING)).toEqual([PONG]);
        client.vanish();
      }),
      { numRuns: 500 },
    );
    expect(world.failures).toEqual([]);
    expect(world.topics.occupied).toEqual([]);
    expect(watchdog.take()).toEqual([]);
  });

  test("counts users, not connections", () => {
    const world = new World();
    const tally = world.tallies.of("4711");
    const clients = ["u-7", "u-7", "u-8"].map((id) => {
      const client = world.connect();
      client.signIn({ id });
      return client;
    });
    expect(tally.signedInUsers).toBe(2);
    for (const [at, left] of [2, 1, 0].entries()) {
      clients[at]?.vanish();
      expect(tally.signedInUsers).toBe(left);
    }
  });
});

describe("a user's channel", () => {
  test("is for the connections that are signed in as the user, and brings events under its name", () => {
    const world = new World();
    const [zoe, ann] = [world.connect(), world.connect()];
    expect(reasons(subscribe(zoe, "#server-to-user-u-7"))[0]).toBe("userChannelRefused");
    zoe.signIn({ id: "u-7" });
    ann.signIn({ id: "u-8" });
    expect(subscribe(zoe, "#server-to-user-u-7", "")).toEqual([succeeded("#server-to-user-u-7")]);
    for (const channel of ["#server-to-user-u-7", "#server-to-user-u", "#server-to-user-u-77"]) {
      expect(reasons(subscribe(ann, channel))[0]).toBe("userChannelRefused");
    }
    world.publish("#server-to-user-u-7", "notice", "{}");
    expect(zoe.take()).toEqual(['{"event":"notice","channel":"#server-to-user-u-7","data":"{}"}']);
    expect(ann.take()).toEqual([]);
  });

  test("is not listed, not counted to its subscribers, and ends like any other", async () => {
    const features = { subscriptionCount: true };
    const world = new World({ apps: new FixedApps(draft({ features })) });
    const client = world.connect();
    client.signIn({ id: "u-7" });
    expect(subscribe(client, "#server-to-user-u-7")).toHaveLength(1);
    const info = { userCount: false, subscriptionCount: false, cache: false };
    expect(await world.queries.channels(world.app(), "", info)).toEqual({});
    expect(client.unsubscribe("#server-to-user-u-7")).toEqual([]);
    expect(world.topics.occupied).toEqual([]);
  });

  test("takes no events from clients", () => {
    const client = new World().connect();
    client.signIn({ id: "u-7" });
    subscribe(client, "#server-to-user-u-7");
    const event = { event: "client-x", channel: "#server-to-user-u-7", data: {} };
    expect(reasons(client.send(event))).toEqual(["clientEventPublic"]);
  });

  test("that is watched cannot be subscribed to under its inner name, or published to", () => {
    const client = new World(watched()).connect();
    client.signIn({ id: "u-7", watchlist: ["u-7"] });
    expect(reasons(subscribe(client, "#watched-u-7"))[0]).toBe("channelNameInvalid");
  });
});

describe("a presence channel", () => {
  const join = (client: Client, channelData?: string) => client.subscribe("presence-x", channelData);
  const members = (world: World) => world.localOccupancy.members("4711", "presence-x");

  test("takes the signed-in user where there is no channel_data", () => {
    const world = new World();
    const [client, other] = [world.connect(), world.connect()];
    join(other, '{"user_id":"u-8"}');
    client.signIn({ id: "u-7", user_info: { name: "Zoë" } });
    expect(join(client)[0]).toContain('{\\"name\\":\\"Zoë\\"}');
    expect(members(world)).toEqual([
      { userId: "u-8", infoJson: "{}" },
      { userId: "u-7", infoJson: '{"name":"Zoë"}' },
    ]);
    expect(other.take().slice(1)).toEqual([]);
    client.vanish();
    expect(other.take()).toEqual([frames.memberRemoved("presence-x", "u-7")]);
  });

  test("takes channel_data where there are both", () => {
    const world = new World();
    const client = world.connect();
    client.signIn({ id: "u-7" });
    join(client, '{"user_id":"u-9"}');
    expect(members(world)).toEqual([{ userId: "u-9", infoJson: "{}" }]);
  });

  test("still needs a signature, and somebody who is signed in", () => {
    const world = new World();
    const client = world.connect();
    expect(reasons(join(client))[0]).toBe("channelDataMissing");
    client.signIn({ id: "u-7" });
    expect(reasons(subscribe(client, "presence-x", `${PAIR.key}:0000`))[0]).toBe("signatureInvalid");
    expect(members(world)).toEqual([]);
  });
});

describe("the end of a user's connections", () => {
  test("comes to those that are signed in as the user, not to members who are not", async () => {
    const world = new World();
    const [tab1, tab2, other, member] = [world.connect(), world.connect(), world.connect(), world.connect()];
    tab1.signIn({ id: "u-7" });
    tab2.signIn({ id: "u-7" });
    other.signIn({ id: "u-8" });
    member.subscribe("presence-x", '{"user_id":"u-7"}');
    for (const client of [tab1, tab2, other, member]) client.take();
    await world.users.terminate(world.app(), "u-7");
    for (const { socket, session } of [tab1, tab2]) {
      expect(socket.goodbye).toEqual({ code: 4009, reason: "You got disconnected by the app." });
      expect(session.isOpen).toBe(false);
    }
    expect(tab1.take()).toEqual([
      '{"event":"pusher:error","data":{"code":4009,"message":"You got disconnected by the app.","remedy":"The app\'s back-end ended all connections of this user: reconnect only when the user asks for it."}}',
    ]);
    for (const { socket } of [other, member]) expect(socket.goodbye).toBeUndefined();
    expect(world.tallies.of("4711").signedInUsers).toBe(1);
    await world.users.terminate(world.app(), "u-7");
    await world.users.terminate(world.app(), "__proto__");
  });

  test("stays within one app", async () => {
    const pair = { key: "other", secret: "secret" };
    const other = draft({ id: "4712", keys: [{ ...pair, createdMs: 1, revoked: false }] });
    const world = new World({ apps: new FixedApps(draft(), other) });
    const client = world.connect();
    client.signIn({ id: "u-7" });
    await world.users.terminate(world.app("4712"), "u-7");
    expect(client.session.isOpen).toBe(true);
  });
});

describe("a connection that must be authorized in time", () => {
  const waiting = () => {
    const world = new World(limited({ authorizationTimeoutSeconds: 10 }));
    return { world, client: world.connect() };
  };
  const wait = (world: World, seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      world.clock.advance(1_000);
      world.connections.checkLiveness();
    }
  };

  test("is closed with 4009 where it neither signs in nor subscribes to a signed channel", () => {
    const { world, client } = waiting();
    client.send({ event: "pusher:subscribe", data: { channel: "news" } });
    client.signIn({ id: "" });
    client.take();
    wait(world, 9);
    expect(client.session.isOpen).toBe(true);
    wait(world, 1);
    expect(client.socket.goodbye).toEqual({ code: 4009, reason: "Connection not authorized within timeout" });
    expect(client.take()).toHaveLength(1);
  });

  test("stays where it has done one of the two, also after it has left that channel", () => {
    const { world, client } = waiting();
    client.signIn({ id: "u-7" });
    const others = ["private-x", "private-encrypted-x"].map((channel) => {
      const other = world.connect();
      other.subscribe(channel);
      other.unsubscribe(channel);
      return other;
    });
    const member = world.connect();
    member.subscribe("presence-x", '{"user_id":"u"}');
    wait(world, 30);
    for (const { session } of [client, member, ...others]) expect(session.isOpen).toBe(true);
  });

  test("is not asked for where the app does not say so", () => {
    const world = new World();
    const client = world.connect();
    wait(world, 60);
    expect(client.session.isOpen).toBe(true);
  });
});

describe("with a back end that answers later", () => {
  const later = (parts: WorldParts = {}) => {
    const answers = new HeldAnswers();
    const world = new World({ ...parts, online: (local) => heldOnlineUsers(local, answers) });
    return { answers, world };
  };

  test("messages after a sign-in wait for it", async () => {
    const { answers, world } = later();
    const client = world.connect();
    expect(client.signIn({ id: "u-7" })).toEqual([]);
    expect(subscribe(client, "#server-to-user-u-7")).toEqual([]);
    expect(client.sendText(PING)).toEqual([]);
    await answers.releaseAll();
    expect(client.take()).toEqual([signedIn({ id: "u-7" }), succeeded("#server-to-user-u-7"), PONG]);
  });

  test("a connection that ends meanwhile leaves nobody online", async () => {
    const { answers, world } = later();
    const client = world.connect();
    client.signIn({ id: "u-7" });
    client.vanish();
    await answers.releaseAll();
    expect(world.localOnline.online("4711", ["u-7"]).size).toBe(0);
    expect(world.tallies.of("4711").signedInUsers).toBe(0);
    expect(client.take()).toEqual([]);
  });

  test("a sign-in that fails is told, and may be tried again", async () => {
    const { answers, world } = later();
    const client = world.connect();
    client.signIn({ id: "u-7" });
    await answers.fail(new Error("no answer"));
    expect(reasons(client.take())).toEqual(["unavailable"]);
    expect(world.failures).toEqual([new Error("no answer")]);
    client.signIn({ id: "u-8" });
    await answers.releaseAll();
    expect(client.take()).toEqual([signedIn({ id: "u-8" })]);
  });

  test("a leave that fails is reported", async () => {
    const { answers, world } = later();
    const client = world.connect();
    client.signIn({ id: "u-7" });
    await answers.releaseAll();
    client.vanish();
    await answers.fail(new Error("no answer"));
    expect(world.failures).toEqual([new Error("no answer")]);
  });

  test("the end of a user's connections is awaited", async () => {
    const answers = new HeldAnswers();
    const world = new World({ terminations: (local) => heldTerminations(local, answers) });
    const client = world.connect();
    client.signIn({ id: "u-7" });
    const answer = world.users.terminate(world.app(), "u-7");
    expect(client.session.isOpen).toBe(true);
    await answers.releaseAll();
    await answer;
    expect(client.session.isOpen).toBe(false);
    await settled();
    expect(world.failures).toEqual([]);
  });
});

function watched(): WorldParts {
  return { apps: new FixedApps(draft({ features: { watchlist: true } })) };
}
