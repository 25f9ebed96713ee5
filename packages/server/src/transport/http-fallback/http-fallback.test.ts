import { beforeEach, describe, expect, test } from "bun:test";
import { Query } from "@earshot/protocol/query";
import fc from "fast-check";
import { FixedApps } from "#core/testing/fixed-apps";
import { draft, PAIR } from "#core/testing/world";
import { GOODBYE_MS } from "./fallback-sessions.ts";
import { UNATTENDED_MS } from "./fallback-socket.ts";
import { type Action, readSessionPath } from "./session-path.ts";
import { type FallbackOptions, fallbackWorld } from "./testing/fallback-world.ts";

type Stage = ReturnType<typeof fallbackWorld>;

let stage: Stage;
let patience: string[];

beforeEach(() => {
  start();
});

function start(options: FallbackOptions = {}, apps = new FixedApps(draft())): void {
  stage = fallbackWorld({ apps }, options);
  patience = [];
}

interface Options {
  readonly method?: string;
  readonly key?: string;
  readonly id?: string;
  readonly n?: number;
  readonly query?: string;
  readonly origin?: string;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

async function ask(action: Action, options: Options = {}): Promise<Response> {
  const { method = "POST", key = PAIR.key, id = "793/34vlfh0e", n, query = "protocol=7", signal } = options;
  const url = `/app/${key}/${id}/${action}`;
  const path = readSessionPath(url);
  if (path === undefined) throw new Error(`${url} is no path of the fallback`);
  const init = {
    method,
    ...(method === "POST" ? { body: options.body ?? "" } : {}),
    ...(signal ? { signal } : {}),
  };
  const parameters = new Query(n === undefined ? query : `${query}&t=1&n=${n}`);
  return await stage.fallback.answer({
    request: new Request(`http://earshot.test${url}`, init),
    path,
    query: parameters,
    arrival: { key, protocol: parameters.get("protocol"), origin: options.origin, isTls: false },
    address: "192.0.2.1",
    patience: { endless: () => patience.push("endless"), usual: () => patience.push("usual") },
  });
}

const poll = async (options: Options = {}) => await (await ask("xhr", options)).text();

const post = async (messages: readonly object[], options: Options = {}) =>
  (await ask("xhr_send", { body: JSON.stringify(messages.map((each) => JSON.stringify(each))), ...options }))
    .status;

/** A poll that is under way, and what it has been answered with. */
function held(options: Options = {}): { text: string | undefined } {
  const state: { text: string | undefined } = { text: undefined };
  void poll(options).then((text) => {
    state.text = text;
  });
  return state;
}

/** Lets a second pass, and another, until so many have passed. */
function pass(ms: number): void {
  for (let passed = 0; passed < ms; passed += 1_000) {
    stage.world.clock.advance(1_000);
    stage.alarms.ring();
    stage.fallback.tick();
  }
}

const turns = () => Bun.sleep(0);
const subscribe = (channel: string) => ({ event: "pusher:subscribe", data: { channel } });
const WELCOME = /^o\na\["\{\\"event\\":\\"pusher:connection_established\\",.*\}"\]\n$/;

describe("a poll", () => {
  test("of an unknown session opens it: o and the welcome, once", async () => {
    expect(await poll()).toMatch(WELCOME);
    expect(stage.world.connections.count).toBe(1);
    await post([subscribe("news")]);
    expect(await poll()).toBe(
      'a["{\\"event\\":\\"pusher_internal:subscription_succeeded\\",\\"channel\\":\\"news\\",\\"data\\":\\"{}\\"}"]\n',
    );
  });

  test("waits until there is something to say, and then says all that is said in the same turn", async () => {
    await poll();
    await post([subscribe("news")]);
    await poll();
    const waiting = held();
    await turns();
    expect(waiting.text).toBeUndefined();
    stage.world.publish("news", "e", "1");
    stage.world.publish("news", "e", "2");
    await turns();
    expect(waiting.text?.match(/\\"data\\":\\"\d\\"/g)).toEqual(['\\"data\\":\\"1\\"', '\\"data\\":\\"2\\"']);
  });

  test("is answered with h before 25 seconds have passed", async () => {
    await poll();
    const waiting = held();
    pass(23_000);
    await turns();
    expect(waiting.text).toBeUndefined();
    pass(2_000);
    await turns();
    expect(waiting.text).toBe("h\n");
  });

  test("keeps its connection open while it waits, and not for longer", async () => {
    await poll();
    expect(patience).toEqual(["endless", "usual"]);
  });

  test("whose client has gone is over", async () => {
    await poll();
    const gone = new AbortController();
    held({ signal: gone.signal });
    await turns();
    gone.abort();
    pass(UNATTENDED_MS - 1_000);
    expect(stage.world.connections.count).toBe(1);
    pass(1_000);
    expect(stage.world.connections.count).toBe(0);
  });

  test("that is newer replaces the older one, which ends without a word", async () => {
    await poll({ n: 1 });
    const [older, newer] = [held({ n: 2 }), held({ n: 3 })];
    await turns();
    expect([older.text, newer.text]).toEqual(["", undefined]);
  });

  test("that is older than the newest ends without a word", async () => {
    await poll({ n: 1 });
    const newer = held({ n: 3 });
    await turns();
    expect(await poll({ n: 2 })).toBe("");
    expect(newer.text).toBeUndefined();
  });
});

describe("a stream", () => {
  test("begins with 2048 h, o and the welcome, and stays open", async () => {
    const response = await ask("xhr_streaming");
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("a[")) text += (await reader?.read())?.value ?? "";
    const [prelude, ...rest] = text.split("\n");
    expect(prelude).toBe("h".repeat(2_048));
    expect(rest.join("\n")).toMatch(WELCOME);
    await post([]);
    expect((await reader?.read())?.value).toBe("a[]\n");
    pass(25_000);
    expect((await reader?.read())?.value).toBe("h\n");
    expect(patience).toEqual(["endless"]);
    await reader?.cancel();
    pass(UNATTENDED_MS);
    expect(stage.world.connections.count).toBe(0);
  });

  test("is not held back, changed or kept on the way", async () => {
    const { status, headers } = await ask("xhr_streaming");
    expect(status).toBe(200);
    expect(headers.get("cache-control")).toBe("no-store, no-transform");
    expect(headers.get("x-accel-buffering")).toBe("no");
    expect(headers.get("access-control-allow-origin")).toBe("*");
  });
});

describe("posts", () => {
  test("are answered with 204, and 404 where nobody has the session", async () => {
    await poll();
    expect(await post([{ event: "pusher:ping" }])).toBe(204);
    expect(await post([], { id: "1/00000000" })).toBe(404);
    expect(await post([], { key: "nobody" })).toBe(404);
    expect(stage.world.tallies.of("4711").refusals.get("fallbackSessionUnknown")).toBe(1);
    expect(stage.world.tallies.of("").refusals.get("fallbackSessionUnknown")).toBe(1);
  });

  test("that are too large get 413, and the client is told over its session", async () => {
    await poll();
    expect(await post([{ event: "x".repeat(10_001) }])).toBe(413);
    expect(await poll()).toContain("The request body is too large");
    expect(stage.world.connections.count).toBe(1);
  });

  test("that are no array of strings get 400, and the client is told over its session", async () => {
    await poll();
    expect((await ask("xhr_send", { body: "[1]" })).status).toBe(400);
    expect(await poll()).toContain("not every item is a string");
  });

  test("that overtake each other are taken in the order of their numbers", async () => {
    await poll({ n: 1 });
    const event = { event: "client-e", channel: "private-x", data: {} };
    await post([event], { n: 3 });
    await post([subscribe("news")], { n: 2 });
    const answers = await poll({ n: 4 });
    expect(answers.indexOf("subscription_succeeded")).toBeGreaterThan(0);
    expect(answers.indexOf("subscription_succeeded")).toBeLessThan(answers.indexOf("pusher:error"));
  });

  test("of any bytes get a status that says what was wrong, and the session lives", async () => {
    await poll();
    const strange = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.json().map((text) => `[${JSON.stringify(text)}]`),
    );
    await fc.assert(
      fc.asyncProperty(strange, fc.option(fc.nat(), { nil: undefined }), async (body, n) => {
        const { status } = await ask("xhr_send", { body, ...(n === undefined ? {} : { n }) });
        expect([204, 400, 413]).toContain(status);
        pass(1_000);
        await post([]);
        expect(await poll()).toMatch(/^a\[/);
      }),
    );
    expect(stage.world.connections.count).toBe(1);
    expect(stage.world.failures).toEqual([]);
  });

  test("that wait in too great a number end the session with 4100", async () => {
    await poll({ n: 1 });
    for (let n = 3; n < 11; n++) expect(await post([{ event: "pusher:ping" }], { n })).toBe(204);
    expect(await post([{ event: "pusher:ping" }], { n: 11 })).toBe(429);
    expect(await poll({ n: 12 })).toContain("c[4100,");
  });

  test("are signs of life", async () => {
    await poll();
    const waiting = held();
    await turns();
    for (let minute = 0; minute < 10; minute++) {
      stage.world.clock.advance(60_000);
      await post([]);
      stage.world.connections.checkLiveness();
    }
    expect(stage.world.connections.count).toBe(1);
    expect(waiting.text).toBe("a[]\n");
  });
});

describe("who is not let in", () => {
  test.each<[string, Options, string]>([
    ["has no key that we know", { key: "nobody" }, 'c[4001,"App key nobody not in this cluster'],
    ["says no protocol", { query: "" }, 'c[4008,"No protocol version supplied"]'],
    ["speaks a protocol of the future", { query: "protocol=8" }, 'c[4007,"Unsupported protocol version: 8"]'],
  ])("%s is told with status 200: o, the error, c", async (_, options, goodbye) => {
    const response = await ask("xhr", options);
    expect(response.status).toBe(200);
    const [opening, error, closing] = (await response.text()).split("\n");
    expect(opening).toBe("o");
    expect(error).toStartWith('a["{\\"event\\":\\"pusher:error\\"');
    expect(closing).toStartWith(goodbye);
  });

  test("comes from an origin that the app does not allow", async () => {
    start({}, new FixedApps(draft({ allowedOrigins: ["https://shop.example.com"] })));
    expect(await poll({ origin: "https://elsewhere.example.com", id: "1/00000001" })).toContain("c[4009,");
    expect(await poll({ origin: "https://shop.example.com", id: "1/00000002" })).toMatch(WELCOME);
  });

  test("is one more than the app may hold", async () => {
    start({}, new FixedApps(draft({ limits: { maxConnections: 2 } })));
    for (const id of ["1/00000001", "1/00000002"]) expect(await poll({ id })).toMatch(WELCOME);
    expect(await poll({ id: "1/00000003" })).toContain('c[4004,"Account over quota"]');
    pass(UNATTENDED_MS);
    expect(await poll({ id: "1/00000004" })).toMatch(WELCOME);
  });

  test("hears the goodbye again for a few seconds, without o, and is then judged anew", async () => {
    expect(await poll({ key: "nobody" })).toContain("c[4001,");
    expect(await poll({ key: "nobody" })).toMatch(/^c\[4001,/);
    pass(GOODBYE_MS);
    expect(await poll({ key: "nobody" })).toMatch(/^o\n/);
  });

  test("fills no memory, however many come", async () => {
    for (let n = 0; n < 12_000; n++) await poll({ key: "nobody", id: `1/${String(n).padStart(8, "0")}` });
    expect(await poll({ key: "nobody", id: "1/00000000" })).toMatch(/^o\n/);
    expect(await poll({ key: "nobody", id: "1/00011999" })).toMatch(/^c\[/);
  });
});

describe("the end of a session", () => {
  test("by the server is told with c, now or with the next request", async () => {
    await poll({ id: "1/00000001" });
    await poll({ id: "1/00000002" });
    const waiting = held({ id: "1/00000001" });
    await turns();
    stage.world.connections.shutDown();
    await turns();
    expect(waiting.text).toContain('c[4200,"Please reconnect immediately"]');
    expect(await poll({ id: "1/00000002" })).toContain('c[4200,"Please reconnect immediately"]');
    expect(await post([], { id: "1/00000001" })).toBe(404);
    expect(await poll({ id: "1/00000003" })).toMatch(/^o\n.*\nc\[4200/);
  });

  test("takes it out of its channels", async () => {
    await poll();
    await post([subscribe("news")]);
    expect(stage.world.occupied()).toEqual(["news"]);
    expect(stage.topics.isEmpty).toBe(false);
    pass(UNATTENDED_MS);
    expect(stage.world.occupied()).toEqual([]);
    expect(stage.topics.isEmpty).toBe(true);
    expect(await poll()).toMatch(WELCOME);
  });

  test("comes when more waits than may wait, and the client is told", async () => {
    start({ maxWaitingBytes: 5_000 });
    await poll();
    await post([subscribe("news")]);
    for (let event = 0; event < 10; event++) stage.world.publish("news", "e", "x".repeat(1_000));
    await turns();
    expect(stage.world.connections.count).toBe(0);
    expect(await poll()).toMatch(
      /^a\[.*\nc\[4100,"Over capacity: more waits for this client than may wait"\]\n$/,
    );
    expect(stage.world.tallies.of("4711").refusals.get("fallbackBacklog")).toBe(1);
  });
});

describe("other requests", () => {
  test("a preflight is answered on every path, for every session", async () => {
    for (const action of ["xhr_streaming", "xhr", "xhr_send"] as const) {
      const { status, headers } = await ask(action, { method: "OPTIONS" });
      expect(status).toBe(204);
      expect(headers.get("access-control-allow-origin")).toBe("*");
      expect(headers.get("access-control-allow-methods")).toBe("POST, OPTIONS");
      expect(headers.get("access-control-allow-headers")).toBe("content-type");
    }
    expect(stage.world.connections.count).toBe(0);
  });

  test("another method gets 405, a session id of a wrong form 404, both readable for a page", async () => {
    for (const [action, options, status] of [
      ["xhr", { method: "GET" }, 405],
      ["xhr_send", { method: "DELETE" }, 405],
      ["xhr", { id: "1/SHOUTING" }, 404],
      ["xhr_streaming", { id: "1000/34vlfh0e" }, 404],
      ["xhr_send", { id: "../34vlfh0e" }, 404],
    ] as const) {
      const response = await ask(action, options);
      expect(response.status).toBe(status);
      expect(response.headers.get("access-control-allow-origin")).toBe("*");
    }
  });
});
