/** laravel-echo over pusher-js in a real browser, on a real page, both unchanged. */
import { afterAll, afterEach, beforeAll, expect, test as tests } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { callApi } from "../support/api.ts";
import { pusherFor } from "../support/authorizer.ts";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { chromiumPath, launchChromium } from "./chromium.ts";
import type { driver as pageDriver } from "./site/driver.js";
import type { Kind, echoDriver as pageEchoDriver } from "./site/echo-driver.js";
import { MASTER_KEY, openPage, optionsFor, type Site, startSite } from "./site.ts";

/** In the page. */
declare const driver: typeof pageDriver;
declare const echoDriver: typeof pageEchoDriver;

const test = tests.skipIf(chromiumPath === undefined);

let browser: Browser;
let earshot: Earshot;
let site: Site;

beforeAll(async () => {
  if (chromiumPath === undefined) return;
  browser = await launchChromium();
  earshot = await startEarshot();
  await earshot.updateApp("--client-events", "true");
  site = startSite(earshot);
});

afterEach(async () => {
  await Promise.all(browser?.contexts().map((context) => context.close()) ?? []);
});

afterAll(async () => {
  await browser?.close();
  await site?.stop();
  await earshot?.stop();
});

/** A page whose Echo is connected, as a user. */
async function connectedPage(
  userId = "somebody",
  broadcaster: "pusher" | "reverb" = "pusher",
): Promise<Page> {
  const page = await openPage(browser, `${site.origin}/echo`);
  const options = {
    broadcaster: broadcaster as "pusher", // to Echo they are the same, but for a name of their own
    key: earshot.app.key,
    cluster: "unused",
    forceTLS: false,
    ...optionsFor(earshot, site, userId),
  };
  await page.evaluate((given) => echoDriver.connect(given), options);
  await next(page, "connection", "connected");
  return page;
}

async function listen(page: Page, kind: Kind, name: string, ...events: string[]): Promise<void> {
  await page.evaluate(([how, what, bound]) => echoDriver.listen(how, what, bound), [
    kind,
    name,
    events,
  ] as const);
  await next(page, name, "subscribed");
}

async function next(page: Page, channel: string, event: string): Promise<unknown> {
  return (await page.evaluate(([from, name]) => driver.next(from, name), [channel, event] as const)).data;
}

async function publish(channel: string, event: string, data: unknown): Promise<void> {
  await pusherFor(earshot, MASTER_KEY).trigger(channel, event, data);
}

test.each(["pusher", "reverb"] as const)("connects as broadcaster %s", async (broadcaster) => {
  const page = await connectedPage("somebody", broadcaster);
  expect(await page.evaluate(() => echoDriver.socketId())).toMatch(/^\d+\.\d+$/);
  await listen(page, "channel", "orders", "OrderShipped");
  await publish("orders", "App\\Events\\OrderShipped", { id: 1 });
  expect(await next(page, "orders", "OrderShipped")).toEqual({ id: 1 });
});

test("hears the events of public, private and encrypted channels", async () => {
  const page = await connectedPage();
  const kinds = [
    ["channel", ""],
    ["private", "private-"],
    ["encryptedPrivate", "private-encrypted-"],
  ] as const;
  for (const [kind, prefix] of kinds) {
    const name = `orders-${kind}`;
    await listen(page, kind, name, "OrderShipped", ".order.shipped");
    await publish(prefix + name, "App\\Events\\OrderShipped", { by: "Zoë", kind });
    expect(await next(page, name, "OrderShipped")).toEqual({ by: "Zoë", kind });
    await publish(prefix + name, "order.shipped", { id: 2 });
    expect(await next(page, name, ".order.shipped")).toEqual({ id: 2 });
  }
});

test("two browsers see each other come and go, and whisper", async () => {
  const zoe = await connectedPage("zoe");
  await listen(zoe, "join", "room");
  expect(await next(zoe, "room", "here")).toEqual([{ name: "Name of zoe" }]);
  const ann = await connectedPage("ann");
  await listen(ann, "join", "room");
  expect(await next(ann, "room", "here")).toEqual([{ name: "Name of zoe" }, { name: "Name of ann" }]);
  expect(await next(zoe, "room", "joining")).toEqual({ name: "Name of ann" });

  await ann.evaluate(() => echoDriver.whisper("join", "room", { on: true }));
  expect(await next(zoe, "room", "whisper")).toEqual({ on: true });
  await ann.context().close();
  expect(await next(zoe, "room", "leaving")).toEqual({ name: "Name of ann" });
});

test("is given the last event of a cache channel", async () => {
  await publish("cache-price", "price", { p: 1 });
  const page = await connectedPage();
  await listen(page, "channel", "cache-price", ".price");
  expect(await next(page, "cache-price", ".price")).toEqual({ p: 1 });
});

test("leaves the channels of a name", async () => {
  const page = await connectedPage("zoe");
  for (const kind of ["channel", "private", "encryptedPrivate", "join"] as const)
    await listen(page, kind, "left");
  const occupied = async () => {
    const answers = ["left", "private-left", "private-encrypted-left", "presence-left"].map((channel) =>
      callApi(earshot, "GET", `/channels/${channel}`),
    );
    return (await Promise.all(answers)).map(({ text }) => text);
  };
  expect(await occupied()).toEqual(Array(4).fill('{"occupied":true}'));
  await page.evaluate(() => echoDriver.leave("left"));
  await listen(page, "channel", "after-left"); // the answer to what was sent last
  expect(await occupied()).toEqual(Array(4).fill('{"occupied":false}'));
});

test("comes back to its channels after the server was killed and started again", async () => {
  const page = await connectedPage("zoe");
  await listen(page, "private", "kept", ".back");
  await listen(page, "join", "kept-room");
  await next(page, "kept-room", "here");
  await earshot.kill();
  await earshot.restart();
  await next(page, "connection", "connected");
  await next(page, "kept", "subscribed");
  await publish("private-kept", "back", { n: 1 });
  expect(await next(page, "kept", ".back")).toEqual({ n: 1 });
  expect(await next(page, "kept-room", "here")).toEqual([{ name: "Name of zoe" }]);
});
