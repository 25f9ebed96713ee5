import { describe, expect, test } from "bun:test";
import { type NamedChannel, parseTrigger, type Trigger } from "@earshot/protocol/api";
import { ProtocolError } from "@earshot/protocol/errors";
import { DEFAULT_LIMITS } from "@earshot/protocol/limits";
import { Query } from "@earshot/protocol/query";
import type { AppDraft } from "./app.ts";
import { FixedApps } from "./testing/fixed-apps.ts";
import { HeldAnswers, heldLastEvents } from "./testing/held-answers.ts";
import { type Client, draft, endpoint, World } from "./testing/world.ts";

const worldOf = (over: Partial<AppDraft>) => new World({ apps: new FixedApps(draft(over)) });

function trigger(body: Record<string, unknown>): Trigger {
  const parsed = parseTrigger({ name: "e", data: "d", ...body }, new Query("auth_key=K"), DEFAULT_LIMITS);
  if (parsed instanceof ProtocolError) throw new Error(parsed.message);
  return parsed;
}

function subscribed(world: World, ...channels: readonly string[]): Client {
  const client = world.connect();
  for (const channel of channels) {
    client.subscribe(channel, channel.startsWith("presence-") ? '{"user_id":"u-7"}' : undefined);
  }
  return client;
}

describe("an event of the API", () => {
  test("reaches every subscriber of each channel once, with its data unchanged", () => {
    const world = new World();
    const both = subscribed(world, "news", "sport");
    const one = subscribed(world, "sport");
    const none = subscribed(world, "weather");
    both.take();
    void world.publisher.trigger(world.app(), trigger({ channels: ["news", "sport"], data: 'x"\u2028' }));
    expect(both.take()).toEqual([
      '{"event":"e","channel":"news","data":"x\\"\u2028"}',
      '{"event":"e","channel":"sport","data":"x\\"\u2028"}',
    ]);
    expect(one.take()).toEqual(['{"event":"e","channel":"sport","data":"x\\"\u2028"}']);
    expect(none.take()).toEqual([]);
    expect(world.tallies.of("4711")).toMatchObject({ apiMessages: 2, clientMessages: 0, deliveries: 3 });
  });

  test("leaves out the socket that it names, on every channel; an unknown one is no error", () => {
    const world = new World();
    const [left, other] = [subscribed(world, "news", "sport"), subscribed(world, "news")];
    const channels = ["news", "sport"];
    void world.publisher.trigger(world.app(), trigger({ channels, socket_id: left.socketId }));
    expect(left.take()).toEqual([]);
    expect(other.take()).toHaveLength(1);
    void world.publisher.trigger(world.app(), trigger({ channels, socket_id: "1.1" }));
    expect(left.take()).toHaveLength(2);
  });

  test("stays within its app", () => {
    const pair = {
      key: "278d425bdf160c739803",
      secret: "7ad3773142a6692b25b8",
      createdMs: 1,
      revoked: false,
    };
    const world = new World({ apps: new FixedApps(draft(), draft({ id: "3", keys: [pair] })) });
    const stranger = world.connect({ key: pair.key });
    stranger.send({ event: "pusher:subscribe", data: { channel: "news" } });
    const ours = subscribed(world, "news");
    void world.publisher.trigger(world.app(), trigger({ channels: ["news"], socket_id: stranger.socketId }));
    expect(ours.take()).toHaveLength(1);
    expect(stranger.take()).toEqual([]);
    void world.publisher.trigger(world.app("3"), trigger({ channels: ["news"], socket_id: ours.socketId }));
    expect(stranger.take()).toHaveLength(1);
    expect(ours.take()).toEqual([]);
  });

  test("is remembered on cache channels, whoever is there and whoever is left out", () => {
    const world = new World();
    const client = subscribed(world, "cache-x");
    void world.publisher.trigger(
      world.app(),
      trigger({ channels: ["cache-x", "news"], socket_id: client.socketId }),
    );
    expect(world.localLastEvents.recall("4711", "cache-x")).toEqual({
      name: "e",
      data: "d",
      ttlSeconds: 1_800,
    });
    expect(world.localLastEvents.recall("4711", "news")).toBeUndefined();
  });

  test("is remembered as long as the app says", () => {
    const world = worldOf({ limits: { cacheTtlSeconds: 60 } });
    void world.publisher.trigger(world.app(), trigger({ channels: ["cache-x"] }));
    world.clock.advance(59_001);
    expect(world.localLastEvents.recall("4711", "cache-x")).toMatchObject({ ttlSeconds: 1 });
    world.clock.advance(999);
    expect(world.localLastEvents.recall("4711", "cache-x")).toBeUndefined();
  });

  test("is shown to onlookers, who are no subscribers", () => {
    const world = new World();
    const seen: unknown[] = [];
    world.taps.open("4711", [], (event) => seen.push(event));
    void world.publisher.trigger(world.app(), trigger({ channels: ["news"] }));
    expect(seen).toEqual([{ channel: "news", event: "e", data: "d", receivedMs: 1_700_000_000_000 }]);
    expect(world.occupied()).toEqual([]);
  });

  test("is published after it is remembered, and fails where it cannot be remembered", async () => {
    const answers = new HeldAnswers();
    const world = new World({ lastEvents: (local) => heldLastEvents(local, answers) });
    const client = world.connect();
    client.subscribe("cache-x");
    await answers.releaseAll();
    client.take();
    const published = world.publisher.trigger(world.app(), trigger({ channels: ["cache-x"] }));
    expect(client.take()).toEqual([]);
    await answers.release();
    await published;
    expect(client.take()).toEqual(['{"event":"e","channel":"cache-x","data":"d"}']);
    const failing = Promise.resolve(world.publisher.trigger(world.app(), trigger({ channels: ["cache-x"] })));
    const failed = failing.then(String, (problem: unknown) => String(problem));
    await answers.fail(new Error("no answer"));
    expect(await failed).toBe("Error: no answer");
  });
});

describe("the attributes of a publish", () => {
  const attributes = (world: World, info: string, channels: string[]) => {
    const parsed = trigger({ channels, info });
    return world.publisher.attributes(world.app(), parsed.channels as NamedChannel[], parsed.info);
  };

  test("are those that apply to each channel, and others are left out", () => {
    const world = worldOf({ features: { subscriptionCount: true } });
    subscribed(world, "presence-x", "news");
    subscribed(world, "presence-x");
    expect(
      attributes(world, "user_count,subscription_count", ["presence-x", "news", "empty", "presence-empty"]),
    ).toEqual([{ user_count: 1 }, { subscription_count: 1 }, { subscription_count: 0 }, { user_count: 0 }]);
  });

  test("have no subscription_count where the app does not count", () => {
    expect(attributes(new World(), "user_count,subscription_count", ["news", "presence-x"])).toEqual([
      {},
      { user_count: 0 },
    ]);
  });
});

describe("a client event", () => {
  const send = (client: Client, over: Record<string, unknown> = {}) =>
    client.send({ event: "client-typing", channel: "private-x", data: { on: true }, ...over });
  const reasonOf = (frames: readonly string[]) => {
    expect(frames).toHaveLength(1);
    return /"reason":"(\w+)"/.exec(frames[0] ?? "")?.[1];
  };

  test("reaches the others once, with its data as text, and not its sender", () => {
    const world = new World();
    const [sender, other] = [subscribed(world, "private-x"), subscribed(world, "private-x")];
    sender.take();
    expect(send(sender)).toEqual([]);
    expect(other.take().at(-1)).toBe(
      '{"event":"client-typing","channel":"private-x","data":"{\\"on\\":true}"}',
    );
    expect(sender.take()).toEqual([]);
    expect(world.tallies.of("4711")).toMatchObject({ apiMessages: 0, clientMessages: 1, deliveries: 1 });
  });

  test("carries the sender's user id on presence channels, never a forged one", () => {
    const world = new World();
    const sender = subscribed(world, "presence-x");
    const other = world.connect();
    other.subscribe("presence-x", '{"user_id":"u-8"}');
    send(sender, { channel: "presence-x", data: "{}", user_id: "u-1", userId: "u-1", extra: 1 });
    expect(other.take().at(-1)).toBe(
      '{"event":"client-typing","channel":"presence-x","data":"{}","user_id":"u-7"}',
    );
  });

  test("is allowed on private and presence channels, cache variants included", () => {
    const channels = ["private-x", "private-cache-x", "presence-x", "presence-cache-x"];
    const client = subscribed(new World(), ...channels);
    for (const channel of channels) expect(send(client, { channel })).toEqual([]);
  });

  test("is refused on public, encrypted and user channels", () => {
    const client = subscribed(
      new World(),
      "news",
      "cache-x",
      "private-encrypted-x",
      "private-encrypted-cache-x",
    );
    client.take();
    for (const channel of ["news", "cache-x", "#server-to-user-u-7"]) {
      expect(reasonOf(send(client, { channel }))).toBe("clientEventPublic");
    }
    for (const channel of ["private-encrypted-x", "private-encrypted-cache-x"]) {
      expect(reasonOf(send(client, { channel }))).toBe("clientEventEncrypted");
    }
    expect(send(client, { channel: "news" })[0]).toContain(
      '"message":"Client event rejected - only supported on private and presence channels"',
    );
  });

  test("is refused where the sender is not subscribed, or not any more", () => {
    const client = subscribed(new World(), "private-x");
    client.take();
    expect(send(client, { channel: "private-y" })[0]).toContain(
      '"message":"Cannot broadcast client event (connection not subscribed to channel private-y)"',
    );
    client.unsubscribe("private-x");
    expect(reasonOf(send(client))).toBe("clientEventNotSubscribed");
  });

  test("is refused where the app does not allow it, in the service's words", () => {
    const client = subscribed(worldOf({ features: { clientEvents: false } }), "private-x");
    client.take();
    expect(send(client)[0]).toContain(
      '"message":"To send client events, you must enable this feature in the Settings page of your dashboard."',
    );
  });

  test("is measured: name, data in bytes, channel", () => {
    const client = subscribed(new World(), "private-x");
    client.take();
    expect(send(client, { event: `client-${"x".repeat(193)}` })).toEqual([]);
    expect(reasonOf(send(client, { event: `client-${"x".repeat(194)}` }))).toBe("eventNameTooLong");
    expect(send(client, { data: "x".repeat(10_240) })).toEqual([]);
    expect(reasonOf(send(client, { data: "x".repeat(10_241) }))).toBe("clientEventTooLarge");
    expect(reasonOf(send(client, { data: "ä".repeat(5_121) }))).toBe("clientEventTooLarge");
    expect(reasonOf(send(client, { channel: "private x" }))).toBe("channelNameInvalid");
  });

  test("is never remembered", () => {
    const world = new World();
    const client = subscribed(world, "private-cache-x");
    send(client, { channel: "private-cache-x" });
    expect(world.localLastEvents.recall("4711", "private-cache-x")).toBeUndefined();
  });

  test("is shown to onlookers", () => {
    const world = new World();
    const seen: unknown[] = [];
    world.taps.open("4711", ["private-x"], ({ channel, event, data }) => seen.push([channel, event, data]));
    send(subscribed(world, "private-x"));
    expect(seen).toEqual([["private-x", "client-typing", '{"on":true}']]);
  });

  describe("is told to webhooks", () => {
    const clientEvents = (world: World) => world.told.filter(({ name }) => name === "client_event");

    test("with its data as text and its sender's socket, and with the user on presence channels alone", () => {
      const world = worldOf({ webhooks: [endpoint()] });
      const sender = subscribed(world, "private-x", "private-cache-x", "presence-x", "presence-cache-x");
      for (const channel of ["private-x", "private-cache-x", "presence-x", "presence-cache-x"]) {
        send(sender, { channel, user_id: "u-1" });
      }
      const told = { name: "client_event", event: "client-typing", data: '{"on":true}' };
      const socket_id = sender.socketId;
      expect(clientEvents(world)).toEqual([
        { ...told, channel: "private-x", socket_id },
        { ...told, channel: "private-cache-x", socket_id },
        { ...told, channel: "presence-x", socket_id, user_id: "u-7" },
        { ...told, channel: "presence-cache-x", socket_id, user_id: "u-7" },
      ] as never[]);
    });

    test("not where it is refused, and not as an event of the API", () => {
      const world = worldOf({ webhooks: [endpoint()], limits: { maxClientEventsPerSecond: 2 } });
      const sender = subscribed(world, "private-x", "news");
      for (const over of [{ channel: "news" }, { channel: "private-y" }, { data: "x".repeat(10_241) }])
        send(sender, over);
      world.publish("private-x", "client-typing", "{}");
      expect(clientEvents(world)).toEqual([]);
      for (let event = 0; event < 3; event++) send(sender);
      expect(clientEvents(world)).toHaveLength(2);
    });

    test("not where no endpoint wants it", () => {
      const webhooks = [endpoint({ events: ["channel_occupied"] }), endpoint({ id: "e2", suffix: "-log" })];
      const world = worldOf({ webhooks });
      const sender = subscribed(world, "private-x", "private-log");
      for (const channel of ["private-x", "private-log"]) send(sender, { channel });
      expect(clientEvents(world).map(({ channel }) => channel)).toEqual(["private-log"]);
    });
  });

  test("is dropped above the rate of its connection, with 4301, and the connection lives", () => {
    const world = new World();
    const [sender, other, reader] = [0, 1, 2].map(() => subscribed(world, "private-x")) as [
      Client,
      Client,
      Client,
    ];
    for (const client of [sender, other, reader]) client.take();
    for (let event = 0; event < 10; event++) expect(send(sender)).toEqual([]);
    const [frame] = send(sender);
    expect(frame).toContain('"data":{"code":4301,');
    expect(frame).toContain('"limit":10,"actual":11,');
    expect(reader.take()).toHaveLength(10);
    other.take();
    expect(send(other)).toEqual([]);
    expect(sender.take()).toHaveLength(1);
    expect(sender.session.isOpen).toBe(true);
    world.clock.advance(999);
    expect(reasonOf(send(sender))).toBe("clientEventRate");
    world.clock.advance(1);
    expect(send(sender)).toEqual([]);
  });

  test("never passes more than the rate within any second, and all of a steady stream below it", () => {
    const world = worldOf({ limits: { maxClientEventsPerSecond: 5 } });
    const sender = subscribed(world, "private-x");
    sender.take();
    const passed: number[] = [];
    for (let ms = 0; ms < 10_000; ms += 37) {
      world.clock.advance(37);
      if (send(sender).length === 0) passed.push(ms);
    }
    for (const start of passed) {
      expect(passed.filter((ms) => ms >= start && ms < start + 1_000).length).toBeLessThanOrEqual(5);
    }
    expect(passed.length).toBeGreaterThan(45);
    world.clock.advance(1_000);
    for (let event = 0; event < 50; event++) {
      expect(send(sender)).toEqual([]);
      world.clock.advance(200);
    }
  });

  test("costs no more at a high rate than at a low one", () => {
    const world = worldOf({ limits: { maxClientEventsPerSecond: 100_000 } });
    const sender = subscribed(world, "private-x");
    sender.take();
    for (let event = 0; event < 100_000; event++)
      sender.session.receive('{"event":"client-x","channel":"private-x"}');
    expect(reasonOf(send(sender))).toBe("clientEventRate");
  });
});
