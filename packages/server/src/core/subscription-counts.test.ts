import { describe, expect, test } from "bun:test";
import { SubscriptionCounts } from "./subscription-counts.ts";
import { FixedApps } from "./testing/fixed-apps.ts";
import { settled } from "./testing/held-answers.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { draft } from "./testing/world.ts";

function counting(subscriptionCount = true) {
  const clock = new ManualClock();
  const told: string[] = [];
  const apps = new FixedApps(draft({ features: { subscriptionCount } }));
  const bus = { publish: (_appId: string, _channel: string, frame: string) => void told.push(frame) };
  const failures: unknown[] = [];
  const counts = new SubscriptionCounts({ apps, bus, clock, failed: (problem) => failures.push(problem) });
  const changed = (count: number, channel = "news") => counts.changed("4711", channel, undefined, count);
  const take = () => told.splice(0).map((frame) => Number(/subscription_count\\":(\d+)/.exec(frame)?.[1]));
  return { apps, clock, counts, changed, told, take, failures };
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
    const { changed, told } = counting(false);
    changed(3);
    changed(300);
    expect(told).toEqual([]);
  });

  test("on encrypted channels, where the java client would try to decrypt the count", () => {
    const { changed, take } = counting();
    changed(2, "private-encrypted-vault");
    changed(2, "private-encrypted-cache-vault");
    expect(take()).toEqual([]);
  });

  test("on presence and user channels", () => {
    const { changed, told } = counting();
    for (const channel of ["presence-x", "presence-cache-x", "#server-to-user-7"]) changed(3, channel);
    expect(told).toEqual([]);
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
});

test("a bus that fails is reported and stops nothing", async () => {
  const problem = new Error("no answer");
  const failures: unknown[] = [];
  const counts = new SubscriptionCounts({
    apps: new FixedApps(draft({ features: { subscriptionCount: true } })),
    bus: { publish: () => Promise.reject(problem) },
    clock: new ManualClock(),
    failed: (failure) => failures.push(failure),
  });
  counts.changed("4711", "news", undefined, 3);
  await settled();
  expect(failures).toEqual([problem]);
});
