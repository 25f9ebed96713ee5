import { describe, expect, test } from "bun:test";
import type { AppDraft } from "./app.ts";
import { SubscriptionCounts } from "./subscription-counts.ts";
import { FixedApps } from "./testing/fixed-apps.ts";
import { settled } from "./testing/held-answers.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { draft, endpoint } from "./testing/world.ts";

function counting(over: Partial<AppDraft> = {}) {
  const clock = new ManualClock();
  const told: string[] = [];
  const apps = new FixedApps(draft({ features: { subscriptionCount: true }, ...over }));
  const webhooks: unknown[] = [];
  const outbox = { append: (_appId: string, event: unknown) => webhooks.push(event) > 0 };
  const bus = { publish: (_appId: string, _channel: string, frame: string) => void told.push(frame) };
  const failures: unknown[] = [];
  const failed = (problem: unknown) => failures.push(problem);
  const counts = new SubscriptionCounts({ apps, bus, outbox, clock, failed });
  const changed = (count: number, channel = "news") => counts.changed("4711", channel, undefined, count);
  const take = () => told.splice(0).map((frame) => Number(/subscription_count\\":(\d+)/.exec(frame)?.[1]));
  const takeWebhooks = () => webhooks.splice(0);
  return { apps, clock, counts, changed, told, take, takeWebhooks, failures };
}

describe("up to 100 subscribers", () => {
  test("each change is told at once, as a JSON integer in a string", () => {
    const { changed, told } = counting();
    changed(3);
    expect(told).toEqual([
      '{"event":"pusher_internal:subscription_count","channel":"news","data":"{\\"subscription_count\\":3}"}',
    ]);
  });

  test("every number is told, up and down, but no zero: nobody is there to hear it", () => {
    const { changed, take } = counting();
    for (const count of [1, 2, 1, 100, 99, 1, 0]) changed(count);
    expect(take()).toEqual([1, 2, 1, 100, 99, 1]);
  });
});

describe("above 100 subscribers", () => {
  test("one number is told per five seconds, the newest at the end", () => {
    const { changed, take, clock, counts } = counting();
    changed(101);
    expect(take()).toEqual([101]);
    for (const count of [102, 103, 104]) changed(count);
    expect(take()).toEqual([]);
    clock.advance(4_999);
    counts.tick();
    expect(take()).toEqual([]);
    clock.advance(1);
    counts.tick();
    expect(take()).toEqual([104]);
    changed(105);
    expect(take()).toEqual([]);
    clock.advance(5_000);
    counts.tick();
    expect(take()).toEqual([105]);
  });

  test("a pause in which nothing changed ends in silence, and the next change is told at once", () => {
    const { changed, take, clock, counts } = counting();
    changed(101);
    take();
    clock.advance(5_000);
    counts.tick();
    clock.advance(5_000);
    counts.tick();
    expect(take()).toEqual([]);
    changed(102);
    expect(take()).toEqual([102]);
  });

  test("a fall to 100 is told at once, and ends the pause", () => {
    const { changed, take, clock, counts } = counting();
    changed(101);
    changed(102);
    changed(100);
    expect(take()).toEqual([101, 100]);
    clock.advance(5_000);
    counts.tick();
    expect(take()).toEqual([]);
    changed(101);
    expect(take()).toEqual([101]);
  });

  test("channels pause by themselves", () => {
    const { changed, take, clock, counts } = counting();
    changed(101, "news");
    clock.advance(1_000);
    changed(201, "sport");
    changed(102, "news");
    changed(202, "sport");
    expect(take()).toEqual([101, 201]);
    clock.advance(4_000);
    counts.tick();
    expect(take()).toEqual([102]);
    clock.advance(1_000);
    counts.tick();
    expect(take()).toEqual([202]);
  });

  test("thousands of channels end their pauses in one tick", () => {
    const { changed, take, clock, counts } = counting();
    for (let channel = 0; channel < 20_000; channel++) {
      changed(101, `c-${channel}`);
      changed(102, `c-${channel}`);
    }
    take();
    for (let round = 0; round < 3; round++) {
      clock.advance(5_000);
      counts.tick();
      expect(take()).toHaveLength(round === 0 ? 20_000 : 0);
    }
  });
});

describe("nothing is told", () => {
  test("where the app does not count", () => {
    const features = { subscriptionCount: false };
    const { changed, told, takeWebhooks } = counting({ features, webhooks: [endpoint()] });
    changed(3);
    changed(300);
    expect(told).toEqual([]);
    expect(takeWebhooks()).toEqual([]);
  });

  test("on encrypted channels, where the java client would try to decrypt the count", () => {
    const { changed, take } = counting();
    changed(2, "private-encrypted-vault");
    changed(2, "private-encrypted-cache-vault");
    expect(take()).toEqual([]);
  });

  test("on presence and user channels", () => {
    const { changed, told, takeWebhooks } = counting({ webhooks: [endpoint()] });
    for (const channel of ["presence-x", "presence-cache-x", "#server-to-user-7"]) changed(3, channel);
    expect(told).toEqual([]);
    expect(takeWebhooks()).toEqual([]);
  });

  test("after the app has stopped counting during a pause, or is gone", () => {
    const { apps, changed, take, clock, counts } = counting();
    changed(101);
    changed(102);
    take();
    apps.put(draft({ features: { subscriptionCount: false } }));
    clock.advance(5_000);
    counts.tick();
    expect(take()).toEqual([]);
  });

  test("from the first moment of a planned shutdown, also not what a pause has held back", () => {
    const { changed, take, takeWebhooks, clock, counts } = counting({ webhooks: [endpoint()] });
    changed(101);
    changed(102);
    expect([take(), takeWebhooks().length]).toEqual([[101], 1]);
    counts.beQuiet();
    changed(3, "sport");
    clock.advance(5_000);
    counts.tick();
    expect([take(), takeWebhooks()]).toEqual([[], []]);
  });
});

describe("webhooks", () => {
  const count = (subscriptions: number, channel = "news") => ({
    name: "subscription_count",
    channel,
    subscription_count: subscriptions,
  });

  test("are told the same numbers as subscribers, and zero", () => {
    const { changed, take, takeWebhooks } = counting({ webhooks: [endpoint()] });
    for (const number of [1, 2, 100, 101, 102, 0]) changed(number);
    expect(take()).toEqual([1, 2, 100, 101]);
    expect(takeWebhooks()).toEqual([count(1), count(2), count(100), count(101), count(0)]);
  });

  test("are told the newest number at the end of a pause", () => {
    const { changed, takeWebhooks, clock, counts } = counting({ webhooks: [endpoint()] });
    for (const number of [101, 102, 103]) changed(number);
    clock.advance(5_000);
    counts.tick();
    expect(takeWebhooks()).toEqual([count(101), count(103)]);
  });

  test("are told of encrypted channels too, whose subscribers are not", () => {
    const { changed, take, takeWebhooks, clock, counts } = counting({ webhooks: [endpoint()] });
    for (const number of [2, 101, 102]) changed(number, "private-encrypted-vault");
    clock.advance(5_000);
    counts.tick();
    expect(take()).toEqual([]);
    expect(takeWebhooks()).toEqual([2, 101, 102].map((number) => count(number, "private-encrypted-vault")));
  });

  test("are told nothing where no endpoint wants it", () => {
    const webhooks = [endpoint({ events: ["cache_miss"] }), endpoint({ id: "e2", prefix: "sport" })];
    const { changed, take, takeWebhooks } = counting({ webhooks });
    changed(1);
    changed(1, "sport-7");
    expect(take()).toEqual([1, 1]);
    expect(takeWebhooks()).toEqual([count(1, "sport-7")]);
  });
});

test("a bus that fails is reported and stops nothing", async () => {
  const problem = new Error("no answer");
  const failures: unknown[] = [];
  const counts = new SubscriptionCounts({
    apps: new FixedApps(draft({ features: { subscriptionCount: true } })),
    bus: { publish: () => Promise.reject(problem) },
    outbox: { append: () => true },
    clock: new ManualClock(),
    failed: (failure) => failures.push(failure),
  });
  counts.changed("4711", "news", undefined, 3);
  await settled();
  expect(failures).toEqual([problem]);
});
