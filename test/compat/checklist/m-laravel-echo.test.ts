/** Section M of the client compatibility checklist: Laravel Echo. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import Echo from "laravel-echo";
import Pusher from "pusher-js";
import { chromiumPath, launchChromium } from "../../browser/chromium.ts";
import type { driver as pageDriver } from "../../browser/site/driver.js";
import type { echoDriver as pageEchoDriver } from "../../browser/site/echo-driver.js";
import { MASTER_KEY, openPage, optionsFor, startSite } from "../../browser/site.ts";
import { callApi, publish } from "../../support/api.ts";
import { type Authorizer, pusherFor, startAuthorizer } from "../../support/authorizer.ts";
import { type Earshot, startEarshot } from "../../support/earshot.ts";
import { connectRaw } from "../../support/raw-client.ts";
import { until } from "../../support/until.ts";

/** In the page. */
declare const driver: typeof pageDriver;
declare const echoDriver: typeof pageEchoDriver;

let earshot: Earshot;
let authorizer: Authorizer;
const echoes: Echo<"pusher">[] = [];

beforeAll(async () => {
  earshot = await startEarshot();
  await earshot.updateApp("--client-events", "true");
  authorizer = startAuthorizer(earshot, { encryptionMasterKeyBase64: MASTER_KEY });
});

afterEach(() => {
  for (const echo of echoes.splice(0)) echo.disconnect();
});

afterAll(async () => {
  await authorizer.stop();
  await earshot.stop();
});

/** Echo as a page sets it up, with the official library for the runtime of this test. */
function makeEcho(
  user: { user_id?: string; user_info?: string } = {},
  endpoint = authorizer.channelEndpoint,
) {
  const echo = new Echo<"pusher">({
    broadcaster: "pusher",
    Pusher,
    key: earshot.app.key,
    cluster: "unused",
    wsHost: earshot.host,
    wsPort: earshot.port,
    forceTLS: false,
    channelAuthorization: { transport: "ajax", endpoint, params: user },
  });
  echoes.push(echo);
  return echo;
}

/** What a listener was called with, and a way to wait for it. */
function listener() {
  const calls: unknown[] = [];
  return {
    calls,
    hear: (data: unknown) => {
      calls.push(data);
    },
    first: async (what: string) => {
      await until(`Echo is told ${what}`, () => calls.length > 0);
      return calls[0];
    },
  };
}

interface Subscribable {
  subscribed(callback: (data: unknown) => void): unknown;
}

async function subscribed(channel: Subscribable): Promise<void> {
  const success = listener();
  channel.subscribed(success.hear);
  await success.first("that it is subscribed");
}

/** What the page posts through axios is published by the application for everybody but the page that posted it. */
test.skipIf(chromiumPath === undefined)(
  "M116: the X-Socket-Id that Echo gives to axios is a socket_id that the server leaves out",
  async () => {
    const asked: (string | null)[] = [];
    const site = startSite(earshot, (request) => (request.method === "POST" ? say(request) : undefined));
    const say = async (request: Request) => {
      const socketId = request.headers.get("x-socket-id");
      asked.push(socketId);
      await pusherFor(earshot).trigger(
        "m116",
        "said",
        { text: await request.text() },
        { socket_id: socketId ?? "" },
      );
      return new Response("ok");
    };
    const browser = await launchChromium();
    try {
      const open = async () => {
        const page = await openPage(browser, `${site.origin}/echo`);
        await page.evaluate(standInForAxios);
        const options = {
          broadcaster: "pusher" as const,
          key: earshot.app.key,
          cluster: "unused",
          forceTLS: false,
        };
        await page.evaluate((given) => echoDriver.connect(given), {
          ...options,
          ...optionsFor(earshot, site),
        });
        await page.evaluate(() => driver.next("connection", "connected"));
        await page.evaluate(() => echoDriver.listen("channel", "m116", [".said", ".marker"]));
        await page.evaluate(() => driver.next("m116", "subscribed"));
        return page;
      };
      const [speaker, other] = [await open(), await open()];
      expect(await speaker.evaluate('axios.post("/say", "hello")')).toBe("ok");
      expect(asked).toEqual([(await speaker.evaluate(() => echoDriver.socketId())) ?? "none"]);
      expect((await other.evaluate(() => driver.next("m116", ".said"))).data).toEqual({ text: "hello" });
      await publish(earshot, "m116", "marker", "{}");
      await speaker.evaluate(() => driver.next("m116", ".marker"));
      expect(await speaker.evaluate(() => driver.rest("m116"))).toEqual([]);
    } finally {
      await browser.close();
      await site.stop();
    }
  },
);

/** The part of axios that Echo meets: a function with request interceptors, which change the headers of a request. */
const standInForAxios = `{
  const interceptors = [];
  globalThis.axios = Object.assign(() => {}, {
    interceptors: { request: { use: (interceptor) => interceptors.push(interceptor) } },
    post: async (url, body) => {
      const config = interceptors.reduce((given, intercept) => intercept(given), { headers: {} });
      return await (await fetch(url, { method: "POST", body, headers: config.headers })).text();
    },
  });
}`;

test("M117: here() is given everybody's info, and an empty one of who has none", async () => {
  const zoe = makeEcho({ user_id: "zoe", user_info: '{"name":"Zoë"}' });
  const [atFirst, joining, leaving] = [listener(), listener(), listener()];
  zoe.join("m117").here(atFirst.hear).joining(joining.hear).leaving(leaving.hear);
  expect(await atFirst.first("who is here")).toEqual([{ name: "Zoë" }]);
  const nameless = makeEcho({ user_id: "7" });
  const here = listener();
  nameless.join("m117").here(here.hear);
  expect(await here.first("who is here")).toEqual([{}, { name: "Zoë" }]); // whole numbers come first among keys
  expect(await joining.first("who joins")).toEqual({});
  nameless.leave("m117");
  expect(await leaving.first("who leaves")).toEqual({});
});

test("M118: error() is told of a subscription that the server refused", async () => {
  const impostor = startAuthorizer({ ...earshot, app: { ...earshot.app, secret: "not-the-secret" } });
  try {
    const echo = makeEcho({}, impostor.channelEndpoint);
    const [failure, success] = [listener(), listener()];
    echo.private("m118").subscribed(success.hear).error(failure.hear);
    expect(await failure.first("of the error")).toEqual({
      type: "AuthError",
      error: expect.stringMatching(
        /^Invalid signature: Expected HMAC SHA256 hex digest of \d+\.\d+:private-m118, but got/,
      ),
      status: 401,
    });
    expect(success.calls).toEqual([]);
    expect(echo.connectionStatus()).toBe("connected");
  } finally {
    await impostor.stop();
  }
});

test("M119: whisper('typing') is the client event client-typing, and listenForWhisper hears it", async () => {
  const [speaker, other] = [makeEcho(), makeEcho()];
  const onlooker = await connectRaw(earshot);
  await onlooker.subscribe("private-m119");
  const [heard, echoed, marker] = [listener(), listener(), listener()];
  await subscribed(
    speaker.private("m119").listen(".marker", marker.hear).listenForWhisper("typing", echoed.hear),
  );
  await subscribed(other.private("m119").listenForWhisper("typing", heard.hear));
  speaker.private("m119").whisper("typing", { on: true });
  expect((await onlooker.next("client-typing")).raw).toBe(
    '{"event":"client-typing","channel":"private-m119","data":"{\\"on\\":true}"}',
  );
  expect(await heard.first("of the whisper")).toEqual({ on: true });
  await publish(earshot, "private-m119", "marker", "{}");
  await marker.first("of the marker");
  expect(echoed.calls).toEqual([]);
});

test("M120: leave(name) ends the public, private, encrypted and presence subscription of the name", async () => {
  const echo = makeEcho();
  const channels = ["m120", "private-m120", "private-encrypted-m120", "presence-m120"];
  const states = async () => {
    const answers = await Promise.all(
      channels.map((channel) => callApi(earshot, "GET", `/channels/${channel}`)),
    );
    return answers.map(({ text }) => text);
  };
  await subscribed(echo.channel("m120"));
  await subscribed(echo.private("m120"));
  await subscribed(echo.encryptedPrivate("m120"));
  await subscribed(echo.join("m120"));
  expect(await states()).toEqual(channels.map(() => '{"occupied":true}'));
  echo.leave("m120");
  await subscribed(echo.channel("m120-after")); // the answer to what was sent last
  expect(await states()).toEqual(channels.map(() => '{"occupied":false}'));

  await subscribed(echo.private("m120"));
  expect((await states())[1]).toBe('{"occupied":true}');
});

test.each([
  ["OrderShipped", "App\\Events\\OrderShipped"],
  ["Orders.Shipped", "App\\Events\\Orders\\Shipped"],
  [".order.shipped", "order.shipped"],
  ["\\Other\\Event", "Other\\Event"],
  [".a name with spaces, Zoë & 😀", "a name with spaces, Zoë & 😀"],
])("M121: listen(%p) hears the event %p", async (listened, name) => {
  const echo = makeEcho();
  const heard = listener();
  const channel = echo.channel("m121").listen(listened, heard.hear);
  await subscribed(channel);
  await publish(earshot, "m121", name, '{"n":1}');
  expect(await heard.first("of the event")).toEqual({ n: 1 });
});

test("M121: a notification's event name is heard", async () => {
  const echo = makeEcho();
  const heard = listener();
  const channel = echo.private("App.Models.User.1").notification(heard.hear);
  await subscribed(channel);
  const name = "Illuminate\\Notifications\\Events\\BroadcastNotificationCreated";
  await publish(earshot, "private-App.Models.User.1", name, '{"id":"n-1"}');
  expect(await heard.first("of the notification")).toEqual({ id: "n-1" });
});
