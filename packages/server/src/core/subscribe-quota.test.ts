import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { AppDraft } from "./app.ts";
import { FixedApps } from "./testing/fixed-apps.ts";
import { HeldAnswers, heldOccupancy, settled } from "./testing/held-answers.ts";
import { type Client, draft, endpoint, World } from "./testing/world.ts";

const worldOf = (over: Partial<AppDraft>) => new World({ apps: new FixedApps(draft(over)) });
const quotas = [{ prefix: "private-user-", maxSubscriptions: 2 }];
const signedFor = (maxSubscriptions: unknown) => JSON.stringify({ max_subscriptions: maxSubscriptions });

const succeeded = (channel: string) =>
  `{"event":"pusher_internal:subscription_succeeded","channel":"${channel}","data":"{}"}`;
const reasonOf = (frames: readonly string[]) => /"reason":"(\w+)"/.exec(frames[0] ?? "")?.[1];

describe("a quota of the app", () => {
  test("refuses the next subscription with the three frames of every refusal, and nothing else changes", () => {
    const features = { subscriptionCount: true };
    const world = worldOf({ quotas, features, webhooks: [endpoint({ events: ["subscription_count"] })] });
    const [first, second, third] = [world.connect(), world.connect(), world.connect()];
    first.subscribe("private-user-7");
    second.subscribe("private-user-7");
    first.take();
    const told = world.told.length;
    const error =
      '{\\"type\\":\\"LimitReached\\",\\"error\\":\\"Channel private-user-7 has as many subscriptions as its quota allows\\",\\"status\\":403,\\"limit\\":2,\\"actual\\":3}';
    expect(third.subscribe("private-user-7")).toEqual([
      '{"event":"pusher:error","data":{"code":null,"message":"Channel private-user-7 has as many subscriptions as its quota allows","reason":"quotaReached","limit":2,"actual":3,"remedy":"Unsubscribe from it elsewhere, or raise the app\'s quota, or max_subscriptions in the signed channel_data; the lowest counts."}}',
      `{"event":"pusher_internal:subscription_error","channel":"private-user-7","data":"${error}"}`,
      `{"event":"pusher:subscription_error","channel":"private-user-7","data":"${error}"}`,
    ]);
    expect([first.take(), second.take()]).toEqual([[], []]);
    expect(world.told).toHaveLength(told);
    expect(third.session.isOpen).toBe(true);
    expect(third.session.subscriptions.size).toBe(0);
    expect(world.tallies.of("4711").subscriptions).toBe(2);
    expect(world.localOccupancy.counts("4711", "private-user-7").subscriptions).toBe(2);
    world.publish("private-user-7", "e", "d");
    expect(third.take()).toEqual([]);
  });

  test("lets somebody in for each one who leaves, and counts each channel for itself", () => {
    const world = worldOf({ quotas });
    const [first, second, third] = [world.connect(), world.connect(), world.connect()];
    for (const client of [first, second]) client.subscribe("private-user-7");
    expect(third.subscribe("private-user-8")).toEqual([succeeded("private-user-8")]);
    expect(reasonOf(third.subscribe("private-user-7"))).toBe("quotaReached");
    first.unsubscribe("private-user-7");
    expect(third.subscribe("private-user-7")).toEqual([succeeded("private-user-7")]);
    expect(reasonOf(first.subscribe("private-user-7"))).toBe("quotaReached");
    second.vanish();
    expect(first.subscribe("private-user-7")).toEqual([succeeded("private-user-7")]);
  });

  test("holds on every kind of channel that it names; on presence channels connections count, not users", () => {
    const prefixes = ["news", "cache-", "private-encrypted-", "presence-"];
    const world = worldOf({ quotas: prefixes.map((prefix) => ({ prefix, maxSubscriptions: 1 })) });
    const [first, second] = [world.connect(), world.connect()];
    for (const channel of ["news", "cache-x", "private-encrypted-x", "presence-x"]) {
      const data = channel === "presence-x" ? '{"user_id":"u-7"}' : undefined;
      expect(first.subscribe(channel, data)[0]).toContain("subscription_succeeded");
      expect(reasonOf(second.subscribe(channel, data))).toBe("quotaReached");
    }
    expect(second.subscribe("private-x")).toEqual([succeeded("private-x")]);
  });

  test("takes effect on the next subscribe after it was changed; those who are in stay", () => {
    const world = worldOf({});
    const clients = [world.connect(), world.connect(), world.connect()];
    for (const client of clients) client.subscribe("private-user-7");
    world.apps.put(draft({ quotas }));
    const frames = world.connect().subscribe("private-user-7");
    expect(frames[0]).toContain('"limit":2,"actual":4,');
    world.publish("private-user-7", "e", "d");
    for (const client of clients) expect(client.take()).toHaveLength(1);
    world.apps.put(draft());
    expect(world.connect().subscribe("private-user-7")).toHaveLength(1);
  });
});

describe("a quota in signed channel_data", () => {
  test("is that of the arriving subscription, on every kind of private channel", () => {
    for (const channel of [
      "private-x",
      "private-cache-x",
      "private-encrypted-x",
      "private-encrypted-cache-x",
    ]) {
      const world = new World();
      const [first, second, third] = [world.connect(), world.connect(), world.connect()];
      expect(first.subscribe(channel, signedFor(1))[0]).toBe(succeeded(channel));
      expect(reasonOf(second.subscribe(channel, signedFor(1)))).toBe("quotaReached");
      expect(second.subscribe(channel, signedFor(2))[0]).toBe(succeeded(channel));
      expect(third.subscribe(channel)[0]).toBe(succeeded(channel));
    }
  });

  test("stands beside the user on a presence channel", () => {
    const world = new World();
    const [first, second] = [world.connect(), world.connect()];
    const data = '{"user_id":"u-7","max_subscriptions":1}';
    expect(first.subscribe("presence-x", data)).toHaveLength(1);
    expect(reasonOf(second.subscribe("presence-x", data))).toBe("quotaReached");
    expect(world.localOccupancy.members("4711", "presence-x")).toEqual([{ userId: "u-7", infoJson: "{}" }]);
  });

  test("gives way to a stricter rule of the app, and the other way round", () => {
    const world = worldOf({ quotas });
    const [first, second, third] = [world.connect(), world.connect(), world.connect()];
    first.subscribe("private-user-7", signedFor(100));
    expect(second.subscribe("private-user-7", signedFor(1))[0]).toContain('"limit":1,"actual":2,');
    second.subscribe("private-user-7", signedFor(100));
    expect(third.subscribe("private-user-7", signedFor(100))[0]).toContain('"limit":2,"actual":3,');
  });

  test("is refused where it is no whole number from 1 up, with three frames", () => {
    const world = new World();
    const client = world.connect();
    for (const value of [0, -1, 1.5, "10", null, true, [], 1_000_001]) {
      const frames = client.subscribe("private-x", signedFor(value));
      expect(reasonOf(frames)).toBe("quotaInvalid");
      expect(frames).toHaveLength(3);
      expect(frames[0]).toContain("a whole number from 1 to 1000000");
    }
    expect(reasonOf(client.subscribe("presence-x", '{"user_id":"u","max_subscriptions":0}'))).toBe(
      "quotaInvalid",
    );
    expect(world.occupied()).toEqual([]);
  });

  test("is not looked at before the signature, and on public channels not at all", () => {
    const world = new World();
    const client = world.connect();
    const frames = client.send({
      event: "pusher:subscribe",
      data: { channel: "private-x", auth: "x:y", channel_data: signedFor(0) },
    });
    expect(reasonOf(frames)).toBe("authKeyInvalid");
    for (const subscriber of [client, world.connect()]) {
      expect(subscriber.subscribe("news", signedFor(1))).toEqual([succeeded("news")]);
    }
    expect(world.connect().subscribe("cache-x", signedFor(0))[0]).toBe(succeeded("cache-x"));
  });

  test("is not needed: any other signed text works as it always did", () => {
    const client = new World().connect();
    for (const [i, text] of ["", "plain text", "{}", "[1]", "null", '{"user_id":"u-7"}'].entries()) {
      expect(client.subscribe(`private-${i}`, text)).toEqual([succeeded(`private-${i}`)]);
    }
  });
});

describe("with a back end that answers later", () => {
  test("exactly ten of fifty who come at once get in; one leaves, one enters", async () => {
    const answers = new HeldAnswers();
    const apps = new FixedApps(draft());
    const world = new World({ apps, occupancy: (local) => heldOccupancy(local, answers) });
    const clients = Array.from({ length: 50 }, () => world.connect());
    for (const client of clients) expect(client.subscribe("private-x", signedFor(10))).toEqual([]);
    await answers.releaseAll();
    const [inside, outside] = parted(clients);
    expect([inside.length, outside.length]).toEqual([10, 40]);
    expect(world.localOccupancy.counts("4711", "private-x").subscriptions).toBe(10);
    inside[0]?.unsubscribe("private-x");
    for (const client of outside) client.subscribe("private-x", signedFor(10));
    await answers.releaseAll();
    expect(parted(outside)[0]).toHaveLength(1);
  });

  test("never are more inside than the quota allows, whoever comes and goes and whatever is answered first", async () => {
    const step = fc.record({ client: fc.nat(7), act: fc.constantFrom("subscribe", "unsubscribe", "vanish") });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.infiniteStream(fc.nat()),
        async (steps, picks) => {
          const answers = new HeldAnswers();
          const apps = new FixedApps(draft({ quotas: [{ prefix: "private-", maxSubscriptions: 3 }] }));
          const world = new World({ apps, occupancy: (local) => heldOccupancy(local, answers) });
          const clients = Array.from({ length: 8 }, () => world.connect());
          const inside = () => world.localOccupancy.counts("4711", "private-x").subscriptions;
          for (const { client, act } of steps) {
            if (act === "vanish") {
              clients[client]?.vanish();
              clients[client] = world.connect();
            } else clients[client]?.[act]("private-x");
            if (answers.count > 0 && Number(picks.next().value) % 2 === 0)
              await answers.release(Number(picks.next().value) % answers.count);
            expect(inside()).toBeLessThanOrEqual(3);
          }
          await answers.releaseAll();
          await settled();
          const joined = clients.filter(({ session }) => session.subscriptions.size > 0);
          expect(inside()).toBe(joined.length);
        },
      ),
    );
  });
});

/** Those who got in, and those who were refused. */
function parted(clients: readonly Client[]): [inside: Client[], outside: Client[]] {
  const [inside, outside]: [Client[], Client[]] = [[], []];
  for (const client of clients) {
    const frames = client.take();
    if (frames[0] === succeeded("private-x")) inside.push(client);
    else if (reasonOf(frames) === "quotaReached") outside.push(client);
  }
  return [inside, outside];
}
