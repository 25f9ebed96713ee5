/** pusher-js in a real browser, on a real page, unchanged. */
import { afterAll, afterEach, beforeAll, expect, test as tests } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { callApi } from "../support/api.ts";
import { pusherFor } from "../support/authorizer.ts";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { connectRaw } from "../support/raw-client.ts";
import { until } from "../support/until.ts";
import { chromiumPath, launchChromium } from "./chromium.ts";
import type { driver as pageDriver } from "./site/driver.js";
import { MASTER_KEY, openPage, optionsFor, type Site, startSite } from "./site.ts";

/** In the page. */
declare const driver: typeof pageDriver;

const test = tests.skipIf(chromiumPath === undefined);

let browser: Browser;
let earshot: Earshot;
let site: Site;

beforeAll(async () => {
  if (chromiumPath === undefined) return;
  browser = await launchChromium();
  earshot = await startEarshot();
  await earshot.updateApp("--client-events", "true", "--subscription-count", "true");
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

/** A page that is connected, as a user. */
async function connectedPage(userId = "somebody", path = "/"): Promise<Page> {
  const page = await openPage(browser, site.origin + path);
  await connect(page, userId);
  await next(page, "connection", "connected");
  return page;
}

async function connect(page: Page, userId: string): Promise<void> {
  const options = optionsFor(earshot, site, userId);
  await page.evaluate(([key, given]) => driver.connect(key, given), [earshot.app.key, options] as const);
}

/** Subscribes, and returns what the page is told when it has been let in. */
async function subscribe(page: Page, channel: string, ...events: string[]): Promise<unknown> {
  await page.evaluate(([name, bound]) => driver.subscribe(name, bound), [channel, events] as const);
  return (await next(page, channel, "pusher:subscription_succeeded")).data;
}

async function next(
  page: Page,
  channel: string,
  event: string,
): Promise<{ data: unknown; metadata: unknown }> {
  return await page.evaluate(([from, name]) => driver.next(from, name), [channel, event] as const);
}

async function rest(page: Page, channel: string): Promise<string[]> {
  return await page.evaluate((name) => driver.rest(name), channel);
}

/** Publishes with the official library, and returns what a page is told for it. */
async function roundTrip(page: Page, channel: string, event: string, data: unknown): Promise<unknown> {
  await pusherFor(earshot, MASTER_KEY).trigger(channel, event, data);
  return (await next(page, channel, event)).data;
}

test("connects", async () => {
  const page = await connectedPage();
  expect(await page.evaluate(() => driver.state())).toBe("connected");
  expect(await page.evaluate(() => driver.socketId())).toMatch(/^\d+\.\d+$/);
});

test("receives the events of a public channel", async () => {
  const page = await connectedPage();
  await subscribe(page, "news", "headline", "App\\Events\\X.y");
  const data = { text: "Zoë \u2028 😀", list: [1, null] };
  expect(await roundTrip(page, "news", "headline", data)).toEqual(data);
  expect(await roundTrip(page, "news", "App\\Events\\X.y", "not JSON")).toBe("not JSON");
});

test("receives the events of a private channel", async () => {
  const page = await connectedPage();
  await subscribe(page, "private-orders", "shipped");
  expect(await roundTrip(page, "private-orders", "shipped", { id: 42 })).toEqual({ id: 42 });
});

test("two browsers see each other come and go on a presence channel", async () => {
  const zoe = await connectedPage("zoe");
  expect(await subscribe(zoe, "presence-room", "marker")).toEqual({
    count: 1,
    myID: "zoe",
    members: { zoe: { name: "Name of zoe" } },
  });
  const ann = await connectedPage("ann");
  expect(await subscribe(ann, "presence-room")).toEqual({
    count: 2,
    myID: "ann",
    members: { zoe: { name: "Name of zoe" }, ann: { name: "Name of ann" } },
  });
  const member = { id: "ann", info: { name: "Name of ann" } };
  expect((await next(zoe, "presence-room", "pusher:member_added")).data).toEqual(member);

  const annsPhone = await connectedPage("ann");
  await subscribe(annsPhone, "presence-room");
  await ann.context().close();
  await roundTrip(zoe, "presence-room", "marker", {});
  expect(await rest(zoe, "presence-room")).toEqual([]);

  await annsPhone.context().close();
  expect((await next(zoe, "presence-room", "pusher:member_removed")).data).toEqual(member);
});

test("a reloaded page is the same user again", async () => {
  const zoe = await connectedPage("zoe");
  await subscribe(zoe, "presence-reload");
  const ann = await connectedPage("ann");
  await subscribe(ann, "presence-reload");
  await next(zoe, "presence-reload", "pusher:member_added");
  await ann.reload();
  await next(zoe, "presence-reload", "pusher:member_removed");
  await connect(ann, "ann");
  await next(ann, "connection", "connected");
  expect(await subscribe(ann, "presence-reload")).toMatchObject({ count: 2, myID: "ann" });
  await next(zoe, "presence-reload", "pusher:member_added");
});

test("two browsers exchange client events, and do not hear their own", async () => {
  const [zoe, ann] = [await connectedPage("zoe"), await connectedPage("ann")];
  for (const channel of ["private-chat", "presence-chat"]) {
    await subscribe(zoe, channel, "client-typing", "marker");
    await subscribe(ann, channel, "client-typing");
    const isSent = await zoe.evaluate((name) => driver.trigger(name, "client-typing", { on: true }), channel);
    expect(isSent).toBe(true);
    const metadata = channel === "presence-chat" ? { user_id: "zoe" } : {};
    expect(await next(ann, channel, "client-typing")).toEqual({ data: { on: true }, metadata });
    await roundTrip(zoe, channel, "marker", {});
    expect(await rest(zoe, channel)).not.toContain("client-typing");
  }
});

test("decrypts the events of encrypted channels, which the server cannot read", async () => {
  const page = await connectedPage("somebody", "/encrypted");
  for (const channel of ["private-encrypted-vault", "private-encrypted-cache-vault"]) {
    const onlooker = await connectRaw(earshot);
    await onlooker.subscribe(channel);
    await subscribe(page, channel, "secret", "text");
    expect(await roundTrip(page, channel, "secret", { code: "42", by: "Zoë" })).toEqual({
      code: "42",
      by: "Zoë",
    });
    expect(await roundTrip(page, channel, "text", "plain")).toBe("plain");
    expect((await onlooker.next("secret")).raw).toMatch(/"data":"\{\\"nonce\\":\\"/);
  }
});

test("is given the last event of each kind of cache channel, or told that there is none", async () => {
  const early = await connectedPage("early", "/encrypted");
  const late = await connectedPage("late", "/encrypted");
  for (const channel of ["cache-p", "private-cache-p", "presence-cache-p", "private-encrypted-cache-p"]) {
    await subscribe(early, channel, "price");
    await next(early, channel, "pusher:cache_miss");
    expect(await roundTrip(early, channel, "price", { p: 1 })).toEqual({ p: 1 });
    await subscribe(late, channel, "price");
    expect((await next(late, channel, "price")).data).toEqual({ p: 1 });
    expect(await rest(late, channel)).not.toContain("pusher:cache_miss");
  }
});

test("is told how many are subscribed", async () => {
  const [one, two] = [await connectedPage(), await connectedPage()];
  await subscribe(one, "counted");
  expect((await next(one, "counted", "pusher:subscription_count")).data).toEqual({ subscription_count: 1 });
  await subscribe(two, "counted");
  expect((await next(one, "counted", "pusher:subscription_count")).data).toEqual({ subscription_count: 2 });
  await two.evaluate(() => driver.unsubscribe("counted"));
  expect((await next(one, "counted", "pusher:subscription_count")).data).toEqual({ subscription_count: 1 });
});

test("comes back to all its channels after the server was killed and started again", async () => {
  const page = await connectedPage("zoe", "/encrypted");
  const channels = ["news", "private-orders", "presence-room", "private-encrypted-vault", "cache-kept"];
  for (const channel of channels) await subscribe(page, channel, "back");
  const before = await page.evaluate(() => driver.socketId());
  await earshot.kill();
  await earshot.restart();
  await next(page, "connection", "connected");
  expect(await page.evaluate(() => driver.socketId())).not.toBe(before);
  for (const channel of channels) {
    await next(page, channel, "pusher:subscription_succeeded");
    expect(await roundTrip(page, channel, "back", { n: 1 })).toEqual({ n: 1 });
  }
  const users = await callApi(earshot, "GET", "/channels/presence-room/users");
  expect(users.json()).toEqual({ users: [{ id: "zoe" }] });
});

test("a page of another origin is refused with 4009 and does not come again, one that is allowed connects", async () => {
  await earshot.updateApp("--allowed-origin", site.origin);
  try {
    const stranger = await openPage(browser, "about:blank");
    await stranger.clock.install();
    let connections = 0;
    stranger.on("websocket", () => connections++);
    await stranger.goto(site.otherOrigin);
    await connect(stranger, "stranger");
    const message = `Connection is unauthorized: origin ${site.otherOrigin} is not allowed`;
    expect((await next(stranger, "connection", "error")).data).toEqual({
      type: "WebSocketError",
      error: { type: "PusherError", data: { code: 4009, message } },
    });
    await until("the page gives up", async () => {
      return (await stranger.evaluate(() => driver.state())) === "disconnected";
    });
    await stranger.clock.fastForward("01:00:00"); // whatever the library would do later, it does now
    expect(await stranger.evaluate(() => driver.state())).toBe("disconnected");
    expect(connections).toBe(1);

    const guest = await connectedPage();
    await subscribe(guest, "news", "headline");
    expect(await roundTrip(guest, "news", "headline", "x")).toBe("x");
  } finally {
    await earshot.updateApp("--allowed-origin", "");
  }
});
