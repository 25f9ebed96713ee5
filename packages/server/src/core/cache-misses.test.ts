import { expect, test } from "bun:test";
import type { WebhookName } from "@earshot/protocol/webhook";
import { makeApp } from "./app.ts";
import { CacheMisses } from "./cache-misses.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { draft, endpoint } from "./testing/world.ts";

function misses(...events: readonly WebhookName[]) {
  const clock = new ManualClock();
  const told: string[] = [];
  const outbox = {
    append: (appId: string, { channel }: { channel: string }) => told.push(`${appId}/${channel}`) > 0,
  };
  const cacheMisses = new CacheMisses({ outbox, clock });
  const app = (id: string) =>
    makeApp(draft({ id, webhooks: events.length === 0 ? [] : [endpoint({ events })] }));
  const found = (channel: string, id = "4711") => cacheMisses.found(app(id), channel);
  return { clock, found, take: () => told.splice(0) };
}

test("several who find a channel's cache empty within a second are told of once", () => {
  const { clock, found, take } = misses("cache_miss");
  found("cache-x");
  clock.advance(999);
  found("cache-x");
  expect(take()).toEqual(["4711/cache-x"]);
  clock.advance(1);
  found("cache-x");
  found("cache-x");
  expect(take()).toEqual(["4711/cache-x"]);
});

test("channels and apps have windows of their own", () => {
  const { clock, found, take } = misses("cache_miss");
  found("cache-x");
  clock.advance(500);
  found("cache-y");
  found("cache-x", "8");
  expect(take()).toEqual(["4711/cache-x", "4711/cache-y", "8/cache-x"]);
  clock.advance(500);
  for (const channel of ["cache-x", "cache-y"]) found(channel);
  expect(take()).toEqual(["4711/cache-x"]);
});

test("nothing is told, and no window begins, where no endpoint wants it", () => {
  const nobody = misses();
  const other = misses("channel_occupied", "client_event");
  for (const { found, take } of [nobody, other]) {
    found("cache-x");
    expect(take()).toEqual([]);
  }
});

test("no more windows are kept than so many, and the oldest gives way", () => {
  const { found, take } = misses("cache_miss");
  for (let channel = 0; channel < 30_000; channel++) found(`cache-${channel}`);
  expect(take()).toHaveLength(30_000);
  for (let channel = 20_001; channel < 30_000; channel++) found(`cache-${channel}`);
  expect(take()).toEqual([]);
  found("cache-0");
  expect(take()).toEqual(["4711/cache-0"]);
});
