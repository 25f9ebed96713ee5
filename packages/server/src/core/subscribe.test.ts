import { describe, expect, test } from "bun:test";
import { signChannel } from "@earshot/protocol/signature";
import { nodeDigest } from "@earshot/protocol/testing/node-digest";
import { FixedApps } from "./testing/fixed-apps.ts";
import { HeldAnswers, heldBus, heldLastEvents, heldOccupancy, settled } from "./testing/held-answers.ts";
import { type Client, draft, endpoint, PAIR, World, type WorldParts } from "./testing/world.ts";

const succeeded = (channel: string) =>
  `{"event":"pusher_internal:subscription_succeeded","channel":"${channel}","data":"{}"}`;
const added = (user: string) =>
  `{"event":"pusher_internal:member_added","channel":"presence-x","data":"{\\"user_id\\":\\"${user}\\",\\"user_info\\":{}}"}`;
const removed = (user: string) =>
  `{"event":"pusher_internal:member_removed","channel":"presence-x","data":"{\\"user_id\\":\\"${user}\\"}"}`;
const count = (channel: string, subscriptions: number) =>
  `{"event":"pusher_internal:subscription_count","channel":"${channel}","data":"{\\"subscription_count\\":${subscriptions}}"}`;

const reasons = (frames: readonly string[]) =>
  frames.map((frame) => /"reason":"(\w+)"/.exec(frame)?.[1] ?? frame);

function subscribeAs(client: Client, data: Record<string, unknown>): string[] {
  return client.send({ event: "pusher:subscribe", data });
}

describe("every kind of channel", () => {
  test.each([
    "news",
    "cache-x",
    "private-x",
    "private-cache-x",
    "private-encrypted-x",
    "private-encrypted-cache-x",
  ])("%s is confirmed with data {}", (channel) => {
    const [frame] = new World().connect().subscribe(channel);
    expect(frame).toBe(succeeded(channel));
  });

  test("a public channel needs no auth, and ignores the empty one of pusher-js", () => {
    const world = new World();
    const client = world.connect();
    expect(subscribeAs(client, { channel: "news", auth: "" })).toEqual([succeeded("news")]);
    expect(subscribeAs(client, { channel: "sport" })).toEqual([succeeded("sport")]);
    expect(subscribeAs(client, { channel: "weather", auth: 7, channel_data: {} })).toEqual([
      succeeded("weather"),
    ]);
    expect(world.tallies.of("4711").subscriptions).toBe(3);
  });

  test("a user channel is nobody's who is not signed in", () => {
    const world = new World();
    const client = world.connect();
    const frames = subscribeAs(client, { channel: "#server-to-user-u-7", auth: "" });
    expect(reasons(frames)[0]).toBe("userChannelRefused");
    expect(frames).toHaveLength(3);
    expect(reasons(client.subscribe("#server-to-user-u-7"))[0]).toBe("userChannelRefused");
    expect(world.occupied()).toEqual([]);
  });
});

describe("a signature", () => {
  const sign = (client: Client, channel: string, channelData?: string) =>
    signChannel(nodeDigest, PAIR, client.socketId, channel, channelData);

  test("that is wrong is refused with three frames, in the service's words, and the connection lives", () => {
    const world = new World();
    const client = world.connect();
    const message = `Invalid signature: Expected HMAC SHA256 hex digest of ${client.socketId}:private-x, but got 00`;
    expect(subscribeAs(client, { channel: "private-x", auth: `${PAIR.key}:00` })).toEqual([
      `{"event":"pusher:error","data":{"code":null,"message":"${message}","reason":"signatureInvalid","remedy":"Sign exactly that string with the secret that belongs to the key."}}`,
      `{"event":"pusher_internal:subscription_error","channel":"private-x","data":"{\\"type\\":\\"AuthError\\",\\"error\\":\\"${message}\\",\\"status\\":401}"}`,
      `{"event":"pusher:subscription_error","channel":"private-x","data":"{\\"type\\":\\"AuthError\\",\\"error\\":\\"${message}\\",\\"status\\":401}"}`,
    ]);
    expect(client.session.isOpen).toBe(true);
    expect(world.occupied()).toEqual([]);
    expect(client.subscribe("private-x")).toEqual([succeeded("private-x")]);
  });

  test("that is missing, or no text, is refused like a wrong one", () => {
    const client = new World().connect();
    for (const auth of [undefined, null, "", 7, {}, [], true]) {
      const frames = subscribeAs(client, { channel: "private-x", auth });
      expect(reasons(frames)[0]).toBe("signatureInvalid");
      expect(frames[0]).toContain("but got none");
    }
  });

  test("of another key is refused in the service's words", () => {
    const client = new World().connect();
    const [, signature = ""] = sign(client, "private-x").split(":");
    for (const key of ["other", "", PAIR.key.toUpperCase(), `${PAIR.key} `, "__proto__"]) {
      const [frame] = subscribeAs(client, { channel: "private-x", auth: `${key}:${signature}` });
      expect(frame).toContain(`"message":"Invalid key in subscription auth data: '${key}'"`);
    }
    expect(reasons(subscribeAs(client, { channel: "private-x", auth: signature }))[0]).toBe("authKeyInvalid");
  });

  test("of a revoked key is refused, of each active one accepted", () => {
    const second = { key: "second", secret: "other-secret", createdMs: 2, revoked: false };
    const first = { ...PAIR, createdMs: 1, revoked: false };
    const world = new World({ apps: new FixedApps(draft({ keys: [first, second] })) });
    const client = world.connect();
    const auth = signChannel(nodeDigest, second, client.socketId, "private-x");
    expect(subscribeAs(client, { channel: "private-x", auth })).toEqual([succeeded("private-x")]);
    world.apps.put(draft({ keys: [first, { ...second, revoked: true }] }));
    client.unsubscribe("private-x");
    expect(reasons(subscribeAs(client, { channel: "private-x", auth }))[0]).toBe("authKeyInvalid");
  });

  test("is bound to socket, channel and app", () => {
    const world = new World();
    const [client, other] = [world.connect(), world.connect()];
    for (const auth of [sign(other, "private-x"), sign(client, "private-y"), sign(client, "private-xx")]) {
      expect(reasons(subscribeAs(client, { channel: "private-x", auth }))[0]).toBe("signatureInvalid");
    }
  });

  test("may be used again after an unsubscribe", () => {
    const client = new World().connect();
    for (let round = 0; round < 3; round++) {
      expect(client.subscribe("private-x")).toEqual([succeeded("private-x")]);
      expect(client.unsubscribe("private-x")).toEqual([]);
    }
  });

  test("covers channel_data on a private channel too", () => {
    const client = new World().connect();
    const data = '{"anything": 1}';
    const withData = { channel: "private-x", auth: sign(client, "private-x", data), channel_data: data };
    expect(reasons(subscribeAs(client, { ...withData, channel_data: '{"anything":1}' }))[0]).toBe(
      "signatureInvalid",
    );
    expect(reasons(subscribeAs(client, { ...withData, channel_data: undefined }))[0]).toBe(
      "signatureInvalid",
    );
    expect(reasons(subscribeAs(client, { ...withData, channel_data: "" }))[0]).toBe("signatureInvalid");
    expect(subscribeAs(client, withData)).toEqual([succeeded("private-x")]);
  });

  test("does not let a lone surrogate pass for U+FFFD", () => {
    const client = new World().connect();
    const auth = sign(client, "presence-x", '{"user_id":"\ufffd"}');
    const frames = subscribeAs(client, { channel: "presence-x", auth, channel_data: '{"user_id":"\ud800"}' });
    expect(reasons(frames)[0]).toBe("signatureInvalid");
  });
});

describe("a channel name", () => {
  test("that is wrong is refused, with subscription errors where it is text that can be repeated", () => {
    const client = new World().connect();
    expect(subscribeAs(client, { channel: "a b" })).toEqual([
      '{"event":"pusher:error","data":{"code":null,"message":"Invalid channel name a b","reason":"channelNameInvalid","remedy":"Use letters, digits and _ - = @ , . ; only."}}',
      '{"event":"pusher_internal:subscription_error","channel":"a b","data":"{\\"type\\":\\"InvalidRequest\\",\\"error\\":\\"Invalid channel name a b\\",\\"status\\":400}"}',
      '{"event":"pusher:subscription_error","channel":"a b","data":"{\\"type\\":\\"InvalidRequest\\",\\"error\\":\\"Invalid channel name a b\\",\\"status\\":400}"}',
    ]);
    for (const channel of [undefined, null, 7, {}, ["news"]]) {
      const frames = subscribeAs(client, { channel });
      expect(reasons(frames)).toEqual(["channelNameInvalid"]);
    }
    expect(reasons(subscribeAs(client, { channel: "n".repeat(2_000) }))).toEqual(["channelNameTooLong"]);
    expect(client.sendText('{"event":"pusher:subscribe"}')).toHaveLength(1);
    expect(client.session.isOpen).toBe(true);
  });

  test("may have up to 200 characters, and the lower limit of the app", () => {
    const world = new World({ apps: new FixedApps(draft({ limits: { maxChannelNameChars: 164 } })) });
    expect(world.connect().subscribe("n".repeat(164))).toHaveLength(1);
    expect(reasons(world.connect().subscribe("n".repeat(165)))[0]).toBe("channelNameTooLong");
    expect(new World().connect().subscribe("n".repeat(200))).toHaveLength(1);
  });

  test("may be __proto__", () => {
    const world = new World();
    const client = world.connect();
    expect(client.subscribe("__proto__")).toEqual([succeeded("__proto__")]);
    world.publish("__proto__", "e", "d");
    expect(client.take()).toEqual(['{"event":"e","channel":"__proto__","data":"d"}']);
  });
});

describe("a second subscribe", () => {
  test("gets the service's error alone, and the first one stays, counted once", () => {
    const world = new World();
    const client = world.connect();
    client.subscribe("news");
    expect(client.subscribe("news")).toEqual([
      '{"event":"pusher:error","data":{"code":null,"message":"Existing subscription to channel news","reason":"subscriptionExists","remedy":"One subscribe a channel is enough; the first one stays."}}',
    ]);
    expect(world.localOccupancy.counts("4711", "news").subscriptions).toBe(1);
    world.publish("news", "e", "d");
    expect(client.take()).toEqual(['{"event":"e","channel":"news","data":"d"}']);
  });

  test("of another user on the same connection changes nothing", () => {
    const world = new World();
    const client = world.connect();
    client.subscribe("presence-x", '{"user_id":"u-7"}');
    expect(reasons(client.subscribe("presence-x", '{"user_id":"u-8"}'))).toEqual(["subscriptionExists"]);
    expect(world.localOccupancy.members("4711", "presence-x")).toEqual([{ userId: "u-7", infoJson: "{}" }]);
  });
});

describe("unsubscribe", () => {
  test("has no answer, and ends the events", () => {
    const world = new World();
    const client = world.connect();
    client.subscribe("news");
    expect(client.unsubscribe("news")).toEqual([]);
    world.publish("news", "e", "d");
    expect(client.take()).toEqual([]);
    expect(world.occupied()).toEqual([]);
    expect(world.tallies.of("4711").subscriptions).toBe(0);
  });

  test("from a channel without subscription gets the service's error", () => {
    const client = new World().connect();
    expect(client.unsubscribe("news")).toEqual([
      '{"event":"pusher:error","data":{"code":null,"message":"No current subscription to channel news, or subscription in progress","reason":"subscriptionMissing","remedy":"Unsubscribe from channels that you are subscribed to."}}',
    ]);
    for (const channel of [undefined, null, 7, {}, ["news"], "a b"]) {
      expect(reasons(client.send({ event: "pusher:unsubscribe", data: { channel } }))).toEqual([
        "subscriptionMissing",
      ]);
    }
  });
});

describe("a limit of subscriptions", () => {
  test("refuses one too many, until one is given up", () => {
    const world = new World({ apps: new FixedApps(draft({ limits: { maxSubscriptionsPerConnection: 2 } })) });
    const client = world.connect();
    client.subscribe("a");
    client.subscribe("b");
    const frames = client.subscribe("c");
    expect(frames[0]).toContain('"reason":"subscriptionLimit","limit":2,"actual":3,');
    expect(frames).toHaveLength(3);
    client.unsubscribe("a");
    expect(client.subscribe("c")).toEqual([succeeded("c")]);
  });
});

describe("presence", () => {
  const join = (world: World, user: string) => {
    const client = world.connect();
    const frames = client.subscribe("presence-x", JSON.stringify({ user_id: user }));
    return { client, frames };
  };

  test("answers with the distinct users, the new one among them", () => {
    const world = new World();
    const first = world.connect();
    expect(first.subscribe("presence-x", '{"user_id":"u-7","user_info":{"name":"Zoë"}}')).toEqual([
      '{"event":"pusher_internal:subscription_succeeded","channel":"presence-x","data":"{\\"presence\\":{\\"ids\\":[\\"u-7\\"],\\"hash\\":{\\"u-7\\":{\\"name\\":\\"Zoë\\"}},\\"count\\":1}}"}',
    ]);
    expect(join(world, "u-8").frames).toEqual([
      '{"event":"pusher_internal:subscription_succeeded","channel":"presence-x","data":"{\\"presence\\":{\\"ids\\":[\\"u-7\\",\\"u-8\\"],\\"hash\\":{\\"u-7\\":{\\"name\\":\\"Zoë\\"},\\"u-8\\":{}},\\"count\\":2}}"}',
    ]);
    expect(first.take()).toEqual([added("u-8")]);
  });

  test("sends member_added and member_removed once for a user with two tabs, to the others only", () => {
    const world = new World();
    const { client: watcher } = join(world, "u-1");
    const { client: tab1, frames } = join(world, "u-7");
    expect(frames).toHaveLength(1);
    const { client: tab2 } = join(world, "u-7");
    expect(watcher.take()).toEqual([added("u-7")]);
    expect([...tab1.take(), ...tab2.take()]).toEqual([]);
    tab1.unsubscribe("presence-x");
    expect(watcher.take()).toEqual([]);
    tab2.vanish();
    expect(watcher.take()).toEqual([removed("u-7")]);
  });

  test("keeps the first info of a user until the user is gone", () => {
    const world = new World();
    const tab1 = world.connect();
    tab1.subscribe("presence-x", '{"user_id":"u-7","user_info":"old"}');
    const tab2 = world.connect();
    expect(tab2.subscribe("presence-x", '{"user_id":"u-7","user_info":"new"}')[0]).toContain("old");
    tab1.vanish();
    tab2.vanish();
    expect(tab2.take()).toEqual([]);
    expect(world.connect().subscribe("presence-x", '{"user_id":"u-7","user_info":"new"}')[0]).toContain(
      "new",
    );
  });

  test('takes 7 and "7" for one user', () => {
    const world = new World();
    const { client: watcher } = join(world, "u-1");
    world.connect().subscribe("presence-x", '{"user_id":7}');
    world.connect().subscribe("presence-x", '{"user_id":"7"}');
    expect(watcher.take()).toEqual([added("7")]);
    expect(world.localOccupancy.counts("4711", "presence-x")).toEqual({ subscriptions: 3, users: 2 });
  });

  test("is refused without channel_data, in the words of the channel", () => {
    const client = new World().connect();
    const frames = client.subscribe("presence-x");
    expect(frames[0]).toContain(
      '"message":"presence-x is a presence channel and subscription must include channel_data"',
    );
    expect(frames).toHaveLength(3);
  });

  test("is refused with channel_data that is an object, null, no JSON, or names nobody", () => {
    const world = new World();
    const client = world.connect();
    const auth = signChannel(nodeDigest, PAIR, client.socketId, "presence-x");
    for (const data of [{ user_id: "u-7" }, 7, true, []]) {
      const frames = subscribeAs(client, { channel: "presence-x", auth, channel_data: data });
      expect(reasons(frames)[0]).toBe("channelDataInvalid");
    }
    const frames = subscribeAs(client, { channel: "presence-x", auth, channel_data: null });
    expect(reasons(frames)[0]).toBe("channelDataMissing");
    for (const data of ["", "x", "{}", "[]", "null", '{"user_id":""}', '{"user_id":1.5}']) {
      expect(reasons(client.subscribe("presence-x", data))[0]).toBe("channelDataInvalid");
    }
    expect(world.occupied()).toEqual([]);
  });

  test("holds as many users as the app allows; known users may always come again", () => {
    const world = new World({ apps: new FixedApps(draft({ limits: { maxPresenceMembers: 2 } })) });
    const { client: first } = join(world, "u-1");
    join(world, "u-2");
    first.take();
    const { client, frames } = join(world, "u-3");
    expect(frames[0]).toContain('"reason":"presenceFull","limit":2,"actual":3,');
    expect(frames[1]).toContain('\\"type\\":\\"LimitReached\\"');
    expect(frames).toHaveLength(3);
    expect(world.tallies.of("4711").subscriptions).toBe(2);
    expect(first.take()).toEqual([]);
    expect(join(world, "u-1").frames).toHaveLength(1);
    expect(client.subscribe("presence-x", '{"user_id":"u-2"}')).toHaveLength(1);
  });
});

describe("a cache channel", () => {
  test("gives success, then the remembered event under its own name, then the rest", () => {
    const world = new World();
    world.publish("cache-x", "price", '{"p":1}');
    const client = world.connect();
    expect(client.subscribe("cache-x")).toEqual([
      succeeded("cache-x"),
      '{"event":"price","channel":"cache-x","data":"{\\"p\\":1}"}',
    ]);
    world.publish("cache-x", "price", '{"p":2}');
    expect(client.take()).toEqual(['{"event":"price","channel":"cache-x","data":"{\\"p\\":2}"}']);
  });

  test("gives cache_miss where nothing is remembered, to the new subscriber only", () => {
    const world = new World();
    const first = world.connect();
    expect(first.subscribe("cache-x")).toEqual([
      succeeded("cache-x"),
      '{"event":"pusher:cache_miss","channel":"cache-x","data":"{}"}',
    ]);
    expect(world.connect().subscribe("cache-x")).toHaveLength(2);
    expect(first.take()).toEqual([]);
  });

  test("is one by its prefix only", () => {
    const world = new World();
    for (const channel of ["my-cache-x", "private-my-cache-x", "presence-cache"])
      world.publish(channel, "e", "d");
    const client = world.connect();
    expect(client.subscribe("my-cache-x")).toEqual([succeeded("my-cache-x")]);
    expect(client.subscribe("private-my-cache-x")).toEqual([succeeded("private-my-cache-x")]);
  });

  test("remembers no member events and no client events", () => {
    const world = new World();
    const client = world.connect();
    client.subscribe("presence-cache-x", '{"user_id":"u-7"}');
    client.send({ event: "client-x", channel: "presence-cache-x", data: {} });
    client.vanish();
    const frames = world.connect().subscribe("presence-cache-x", '{"user_id":"u-8"}');
    expect(frames[1]).toBe('{"event":"pusher:cache_miss","channel":"presence-cache-x","data":"{}"}');
  });

  test("tells of members after the remembered event", () => {
    const world = new World();
    const watcher = world.connect();
    watcher.subscribe("presence-cache-x", '{"user_id":"u-7"}');
    watcher.take();
    world.connect().subscribe("presence-cache-x", '{"user_id":"u-8"}');
    expect(watcher.take()).toHaveLength(1);
  });
});

describe("webhooks of a cache channel", () => {
  const miss = { name: "cache_miss", channel: "cache-x" } as const;
  const hooked = (parts: Omit<WorldParts, "apps"> = {}) =>
    new World({ ...parts, apps: new FixedApps(draft({ webhooks: [endpoint({ events: ["cache_miss"] })] })) });

  test("are told once of all who find it empty within a second", () => {
    const world = hooked();
    for (let client = 0; client < 3; client++) world.connect().subscribe("cache-x");
    expect(world.told).toEqual([miss]);
    world.clock.advance(1_000);
    world.connect().subscribe("cache-x");
    expect(world.told).toEqual([miss, miss]);
  });

  test("are told of private, encrypted and presence ones too, and of none that remembers or is none", () => {
    const world = hooked();
    const channels = ["private-cache-x", "private-encrypted-cache-x", "presence-cache-x"];
    world.publish("cache-full", "e", "d");
    const client = world.connect();
    for (const channel of [...channels, "cache-full", "news", "private-x"])
      client.subscribe(channel, channel.startsWith("presence-") ? '{"user_id":"u-7"}' : undefined);
    expect(world.told.map(({ channel }) => channel)).toEqual(channels);
  });

  test("are told when its event is forgotten, or cannot be read, and not of one who has gone meanwhile", async () => {
    const answers = new HeldAnswers();
    const world = hooked({ lastEvents: (local) => heldLastEvents(local, answers) });
    const gone = world.connect();
    gone.subscribe("cache-x");
    gone.vanish();
    await answers.releaseAll();
    expect(world.told).toEqual([]);
    world.connect().subscribe("cache-x");
    await answers.fail(new Error("no answer"));
    expect(world.told).toEqual([miss]);
  });
});

describe("subscription counts", () => {
  const counting = () =>
    new World({ apps: new FixedApps(draft({ features: { subscriptionCount: true, clientEvents: true } })) });

  test("are told to all subscribers after each subscribe and unsubscribe, success first", () => {
    const world = counting();
    const [first, second] = [world.connect(), world.connect()];
    expect(first.subscribe("news")).toEqual([succeeded("news"), count("news", 1)]);
    expect(second.subscribe("news")).toEqual([succeeded("news"), count("news", 2)]);
    expect(first.take()).toEqual([count("news", 2)]);
    second.vanish();
    expect(first.take()).toEqual([count("news", 1)]);
  });

  test("are told to webhooks, down to zero, but not while the server stops", () => {
    const features = { subscriptionCount: true };
    const webhooks = [endpoint({ events: ["subscription_count"] })];
    const world = new World({ apps: new FixedApps(draft({ features, webhooks })) });
    const [first, second] = [world.connect(), world.connect()];
    first.subscribe("news");
    first.unsubscribe("news");
    second.subscribe("private-encrypted-x");
    second.subscribe("presence-x", '{"user_id":"u-7"}');
    const told = [
      { name: "subscription_count", channel: "news", subscription_count: 1 },
      { name: "subscription_count", channel: "news", subscription_count: 0 },
      { name: "subscription_count", channel: "private-encrypted-x", subscription_count: 1 },
    ] as const;
    expect(world.told).toEqual([...told]);
    world.subscriptions.beQuiet();
    second.vanish();
    expect(world.told).toEqual([...told]);
  });

  test("are not told where the app does not want them", () => {
    const world = new World();
    const client = world.connect();
    expect(client.subscribe("news")).toEqual([succeeded("news")]);
  });
});

describe("with a back end that answers later", () => {
  test("a cache channel keeps the order: success, remembered event, later events", async () => {
    const answers = new HeldAnswers();
    const world = new World({ lastEvents: (local) => heldLastEvents(local, answers) });
    world.localLastEvents.remember("4711", "cache-x", { name: "price", data: "1" }, 60);
    const client = world.connect();
    expect(client.subscribe("cache-x")).toEqual([succeeded("cache-x")]);
    await answers.release();
    expect(client.take()).toEqual(['{"event":"price","channel":"cache-x","data":"1"}']);
    void world.bus.publish("4711", "cache-x", "later");
    expect(client.take()).toEqual(["later"]);
  });

  test("a remembered event that cannot be read is a cache_miss, and the subscription works", async () => {
    const answers = new HeldAnswers();
    const world = new World({ lastEvents: (local) => heldLastEvents(local, answers) });
    const client = world.connect();
    client.subscribe("cache-x");
    await answers.fail(new Error("no answer"));
    expect(client.take()).toEqual(['{"event":"pusher:cache_miss","channel":"cache-x","data":"{}"}']);
    expect(world.failures).toEqual([new Error("no answer")]);
    void world.bus.publish("4711", "cache-x", "later");
    expect(client.take()).toEqual(["later"]);
  });

  test("a subscription works although the others could not be told of it", async () => {
    const answers = new HeldAnswers();
    const world = new World({ bus: (local) => heldBus(local, answers) });
    const client = world.connect();
    expect(client.subscribe("presence-x", '{"user_id":"u-7"}')).toHaveLength(1);
    await answers.fail(new Error("no answer"));
    expect(client.take()).toEqual([]);
    expect(world.failures).toEqual([new Error("no answer")]);
    expect(client.unsubscribe("presence-x")).toEqual([]);
    await answers.fail(new Error("no answer"));
    expect(client.take()).toEqual([]);
    expect(world.occupied()).toEqual([]);
  });

  test("a connection that ends before the remembered event is read leaves no row and no topic", async () => {
    const answers = new HeldAnswers();
    const world = new World({ lastEvents: (local) => heldLastEvents(local, answers) });
    const client = world.connect();
    client.subscribe("cache-x");
    client.vanish();
    await answers.releaseAll();
    expect(world.occupied()).toEqual([]);
    expect(world.topics.occupied).toEqual([]);
  });

  test("a full presence channel is refused with three frames, and nothing stays", async () => {
    const answers = new HeldAnswers();
    const world = new World({
      apps: new FixedApps(draft({ limits: { maxPresenceMembers: 1 } })),
      occupancy: (local) => heldOccupancy(local, answers),
    });
    const [first, second] = [world.connect(), world.connect()];
    first.subscribe("presence-x", '{"user_id":"u-7"}');
    second.subscribe("presence-x", '{"user_id":"u-8"}');
    await answers.releaseAll();
    expect(first.take()).toHaveLength(1);
    expect(reasons(second.take())).toHaveLength(3);
    expect(second.session.subscriptions.size).toBe(0);
    second.vanish();
    await settled();
    expect(answers.count).toBe(0);
    expect(world.localOccupancy.counts("4711", "presence-x")).toEqual({ subscriptions: 1, users: 1 });
  });
});
