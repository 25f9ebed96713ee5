/** pusher-js in a real browser that gets no WebSocket: it falls back to HTTP, and all goes on. */
import { afterAll, afterEach, beforeAll, describe, expect, test as tests } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { publish } from "../support/api.ts";
import { pusherFor } from "../support/authorizer.ts";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { until } from "../support/until.ts";
import { chromiumPath, launchChromium } from "./chromium.ts";
import type { driver as pageDriver } from "./site/driver.js";
import { MASTER_KEY, openPage, optionsFor, type Site, startSite } from "./site.ts";

/** In the page. */
declare const driver: typeof pageDriver;

const test = tests.skipIf(chromiumPath === undefined);
const GONE_MS = 15_000; // a page that was closed is noticed after 8 s

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

/** What a proxy does that knows no WebSockets: the handshake fails, in each of the ways that pages see. */
const BROKEN_WEBSOCKETS = {
  "fails at once": `globalThis.WebSocket = class extends EventTarget {
    constructor() {
      super();
      setTimeout(() => { this.onerror?.(new Event("error")); this.onclose?.({ code: 1006, reason: "", wasClean: false }); });
    }
    send() {}
    close() {}
  };`,
  "never answers": "globalThis.WebSocket = class extends EventTarget { send() {} close() {} };",
  throws: 'globalThis.WebSocket = class { constructor() { throw new Error("blocked"); } };',
} as const;

interface Way {
  readonly transports?: readonly string[];
  readonly blocked?: string;
}

async function connectedPage(userId: string, way: Way, path = "/encrypted"): Promise<Page> {
  const page = await openPage(browser, "about:blank");
  if (way.blocked !== undefined) await page.addInitScript(way.blocked);
  await page.goto(site.origin + path);
  const options = {
    ...optionsFor(earshot, site, userId),
    httpHost: earshot.host,
    httpPort: earshot.port,
    ...(way.transports === undefined ? {} : { enabledTransports: [...way.transports] as "xhr_streaming"[] }),
  };
  await page.evaluate(([key, given]) => driver.connect(key, given), [earshot.app.key, options] as const);
  await next(page, "connection", "connected");
  return page;
}

async function subscribe(page: Page, channel: string, ...events: string[]): Promise<unknown> {
  await page.evaluate(([name, bound]) => driver.subscribe(name, bound), [channel, events] as const);
  return (await next(page, channel, "pusher:subscription_succeeded")).data;
}

async function next(page: Page, channel: string, event: string) {
  return await page.evaluate(([from, name]) => driver.next(from, name), [channel, event] as const);
}

async function roundTrip(page: Page, channel: string, event: string, data: unknown): Promise<unknown> {
  await pusherFor(earshot, MASTER_KEY).trigger(channel, event, data);
  return (await next(page, channel, event)).data;
}

/** The receive requests that a page makes from now on, by their last path segment. */
function receiving(page: Page): string[] {
  const found: string[] = [];
  page.on("request", (request) => {
    const [, action] = /\/(xhr_streaming|xhr)\?/.exec(request.url()) ?? [];
    if (request.method() === "POST" && action !== undefined) found.push(action);
  });
  return found;
}

describe.each(Object.entries(BROKEN_WEBSOCKETS))("where the WebSocket %s", (_, blocked) => {
  test("pusher-js falls back to Earshot by itself, and everything arrives", async () => {
    const page = await connectedPage("zoe", { blocked });
    await subscribe(page, "news", "headline");
    expect(await roundTrip(page, "news", "headline", { text: "Zoë \u2028 😀" })).toEqual({
      text: "Zoë \u2028 😀",
    });
    expect(await subscribe(page, "presence-blocked")).toMatchObject({ count: 1, myID: "zoe" });
  });
});

describe.each(["xhr_streaming", "xhr_polling"] as const)("over %s", (transport) => {
  const way: Way = { transports: [transport] };
  /** Channels of one run must not meet those of the other. */
  const name = (channel: string) => `${channel}-${transport}`;

  test("every kind of channel works", async () => {
    const page = await connectedPage("zoe", way);
    for (const channel of ["news", "private-orders", "presence-room", "private-encrypted-vault"]) {
      await subscribe(page, name(channel), "e");
      expect(await roundTrip(page, name(channel), "e", { by: "Zoë", channel })).toEqual({
        by: "Zoë",
        channel,
      });
    }
    await publish(earshot, name("cache-price"), "price", '{"p":1}');
    await subscribe(page, name("cache-price"), "price");
    expect((await next(page, name("cache-price"), "price")).data).toEqual({ p: 1 });
    await subscribe(page, name("counted"));
    expect((await next(page, name("counted"), "pusher:subscription_count")).data).toEqual({
      subscription_count: 1,
    });
  });

  test("pages see each other come and go, exchange client events, and meet those who have a WebSocket", async () => {
    const zoe = await connectedPage("zoe", way);
    const ann = await connectedPage("ann", { transports: ["ws"] });
    const channel = name("presence-chat");
    await subscribe(zoe, channel, "client-typing");
    expect(await subscribe(ann, channel, "client-typing")).toMatchObject({ count: 2 });
    const member = { id: "ann", info: { name: "Name of ann" } };
    expect((await next(zoe, channel, "pusher:member_added")).data).toEqual(member);
    for (const [from, to, by] of [
      [zoe, ann, "zoe"],
      [ann, zoe, "ann"],
    ] as const) {
      await from.evaluate((where) => driver.trigger(where, "client-typing", { on: true }), channel);
      expect(await next(to, channel, "client-typing")).toEqual({
        data: { on: true },
        metadata: { user_id: by },
      });
      expect(await from.evaluate((where) => driver.rest(where), channel)).not.toContain("client-typing");
    }
    await zoe.context().close();
    const gone = ann.waitForFunction(
      (where) => driver.rest(where).includes("pusher:member_removed"),
      channel,
      {
        timeout: GONE_MS,
      },
    );
    await gone;
  });

  test("2 MB arrive without a gap, however often the stream is opened again", async () => {
    const page = await connectedPage("zoe", way);
    const requests = receiving(page);
    const channel = name("sequence");
    const numbers = await page.evaluate((where) => {
      Reflect.set(globalThis, "numbers", []);
      driver.subscribe(where, []);
      return where;
    }, channel);
    await next(page, numbers, "pusher:subscription_succeeded");
    await page.evaluate((where) => {
      const list: number[] = Reflect.get(globalThis, "numbers");
      driver.bind(where, "number", (data: { at: number }) => list.push(data.at));
    }, channel);
    for (let at = 0; at < 400; at++) {
      await publish(earshot, channel, "number", JSON.stringify({ at, fill: "é".repeat(5_000) }));
      if (at % 10 === 0) await Bun.sleep(20); // what waits for one client is bounded
    }
    const got = () => page.evaluate(() => Reflect.get(globalThis, "numbers") as number[]);
    await until("all have come", async () => (await got()).length >= 400);
    expect(await got()).toEqual(Array.from({ length: 400 }, (_, at) => at));
    if (transport === "xhr_streaming") expect(requests.length).toBeGreaterThan(5);
    expect(new Set(requests)).toEqual(new Set([transport === "xhr_polling" ? "xhr" : transport]));
  });

  test("comes back to its channels after the server was killed and started again", async () => {
    const page = await connectedPage("zoe", way);
    const channels = ["news", "private-orders", "presence-back"].map(name);
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
  });

  test("a page of another origin is refused with 4009 and reads why", async () => {
    await earshot.updateApp("--allowed-origin", site.origin);
    try {
      const stranger = await openPage(browser, site.otherOrigin);
      const options = {
        ...optionsFor(earshot, site),
        httpHost: earshot.host,
        httpPort: earshot.port,
        enabledTransports: [transport],
      };
      await stranger.evaluate(([key, given]) => driver.connect(key, given), [
        earshot.app.key,
        options,
      ] as const);
      const { data } = await next(stranger, "connection", "error");
      expect(data).toMatchObject({ error: { data: { code: 4009 } } });
      await until("the page gives up", async () => {
        return (await stranger.evaluate(() => driver.state())) === "disconnected";
      });
      await connectedPage("guest", way);
    } finally {
      await earshot.updateApp("--allowed-origin", "");
    }
  });
});
