import { describe, expect, test } from "bun:test";
import { type ApiRequest, signApiRequest } from "@earshot/protocol/signature";
import { nodeDigest } from "@earshot/protocol/testing/node-digest";
import { FixedApps } from "#core/testing/fixed-apps";
import { HeldAnswers, heldLastEvents, heldTerminations, settled } from "#core/testing/held-answers";
import { draft, PAIR, World, type WorldParts } from "#core/testing/world";
import type { Log } from "#observe/log";
import { Api } from "./api.ts";
import { Authenticator } from "./authenticate.ts";
import { parseApiPath } from "./routes.ts";
import { apiPartsOf } from "./testing/api-parts.ts";

/** The API over a world of fake sockets. */
function apiOf(parts: WorldParts = {}) {
  const world = new World(parts);
  const errors: unknown[] = [];
  const log: Log = {
    debug() {},
    info() {},
    warn() {},
    error: (fields: unknown) => errors.push(fields),
    child: () => log,
  };
  const { tallies, apps, clock } = world;
  const authenticator = new Authenticator({ apps, digest: nodeDigest, clock });
  const api = new Api({
    ...apiPartsOf(world),
    authenticator,
    tallies,
    maxBodyBytes: 100_000,
    log,
  });
  const send = async (method: string, path: string, rawQuery: string, body?: string) => {
    const request = new Request(
      `http://h${path}?${rawQuery}`,
      body === undefined ? { method } : { method, body },
    );
    const apiPath = parseApiPath(path);
    if (apiPath === undefined) throw new Error(`${path} is not the API's`);
    const answer = await api.answer({
      ...apiPath,
      request,
      path,
      rawQuery,
      pathWithoutPrefix: undefined,
      keepOpen: () => {},
    });
    return { status: answer.status, text: await answer.text() };
  };
  /** A signed call, of the app's first key. */
  const call = (method: "GET" | "POST", path: string, over: Partial<ApiRequest> = {}) => {
    const signed = { method, path: `/apps/4711${path}`, ...over };
    return send(method, signed.path, signApiRequest(nodeDigest, PAIR, signed, 1_700_000_000), over.body);
  };
  const post = (path: string, body: unknown) =>
    call("POST", path, { body: typeof body === "string" ? body : JSON.stringify(body) });
  return { world, errors, send, call, post };
}

describe("POST /events", () => {
  test("publishes, and answers {} without info", async () => {
    const { world, post } = apiOf();
    const client = world.connect();
    client.subscribe("news");
    client.take();
    expect(await post("/events", { name: "e", channels: ["news"], data: "d" })).toEqual({
      status: 200,
      text: "{}",
    });
    expect(client.take()).toEqual(['{"event":"e","channel":"news","data":"d"}']);
  });

  test("answers with the attributes that were asked for, once a channel", async () => {
    const { world, post } = apiOf({ apps: new FixedApps(draft({ features: { subscriptionCount: true } })) });
    world.connect().subscribe("presence-x", '{"user_id":"u-7"}');
    world.connect().subscribe("news");
    const body = {
      name: "e",
      channels: ["presence-x", "news", "news", "empty"],
      data: "d",
      info: "user_count,subscription_count",
    };
    expect((await post("/events", body)).text).toBe(
      '{"channels":{"presence-x":{"user_count":1},"news":{"subscription_count":1},"empty":{"subscription_count":0}}}',
    );
  });

  test("answers for a channel that is called __proto__", async () => {
    const { post } = apiOf();
    const body = { name: "e", channels: ["__proto__", "news"], data: "d", info: "user_count" };
    expect((await post("/events", body)).text).toBe('{"channels":{"__proto__":{},"news":{}}}');
  });

  test("sends nothing where anything is wrong", async () => {
    const { world, post, errors } = apiOf();
    const client = world.connect();
    client.subscribe("news");
    client.take();
    for (const body of [
      { name: "e", channels: ["news", "a b"], data: "d" },
      { name: "e", channels: ["news"], data: "x".repeat(10_241) },
      { name: "e", channels: ["news"], data: "d", socket_id: "x" },
      { name: "pusher:x", channels: ["news"], data: "d" },
      "{",
      "[]",
    ]) {
      const { status, text } = await post("/events", body);
      expect([400, 413]).toContain(status);
      expect(text).toMatch(/^[^\n]+\nreason: \w+; .*remedy: [^\n]+\n$/);
    }
    expect(client.take()).toEqual([]);
    expect(errors).toEqual([]);
  });
});

describe("POST /batch_events", () => {
  const event = (channel: string, over: object = {}) => ({ name: "e", channel, data: "d", ...over });

  test("publishes in order, and answers {} where nothing was asked", async () => {
    const { world, post } = apiOf();
    const client = world.connect();
    for (const channel of ["a", "b"]) client.subscribe(channel);
    client.take();
    const batch = [event("a", { data: "1" }), event("b", { data: "2" }), event("a", { data: "3" })];
    expect(await post("/batch_events", { batch })).toEqual({ status: 200, text: "{}" });
    expect(client.take().map((frame) => /"data":"(\d)"/.exec(frame)?.[1])).toEqual(["1", "2", "3"]);
  });

  test("answers with one object for each event, in their order, where one asked", async () => {
    const { world, post } = apiOf();
    world.connect().subscribe("presence-x", '{"user_id":"u-7"}');
    const batch = [
      event("a"),
      event("presence-x", { info: "user_count" }),
      event("b", { info: "user_count" }),
    ];
    expect((await post("/batch_events", { batch })).text).toBe('{"batch":[{},{"user_count":1},{}]}');
  });

  test("sends nothing where one event is wrong", async () => {
    const { world, post } = apiOf();
    const client = world.connect();
    client.subscribe("a");
    client.take();
    const { status, text } = await post("/batch_events", {
      batch: [event("a"), event("a", { data: "x".repeat(10_241) })],
    });
    expect(status).toBe(413);
    expect(text).toStartWith("The data content of this event exceeds the allowed maximum (10240 bytes).");
    expect(client.take()).toEqual([]);
  });
});

describe("reading", () => {
  test("channels, one channel, users, stats", async () => {
    const { world, call } = apiOf({ apps: new FixedApps(draft({ features: { subscriptionCount: true } })) });
    expect((await call("GET", "/channels")).text).toBe('{"channels":{}}');
    world.connect().subscribe("presence-x", '{"user_id":7}');
    world.connect().subscribe("presence-x", '{"user_id":7}');
    world.connect().subscribe("cache-x");
    const query = { filter_by_prefix: "presence-", info: "user_count" };
    expect((await call("GET", "/channels", { query })).text).toBe(
      '{"channels":{"presence-x":{"user_count":1}}}',
    );
    expect((await call("GET", "/channels/presence-x", { query: { info: "user_count" } })).text).toBe(
      '{"occupied":true,"user_count":1}',
    );
    const info = "subscription_count,cache";
    expect((await call("GET", "/channels/cache-x", { query: { info } })).text).toBe(
      '{"occupied":true,"subscription_count":1,"cache":null}',
    );
    expect((await call("GET", "/channels/never-used")).text).toBe('{"occupied":false}');
    expect((await call("GET", "/channels/presence-x/users")).text).toBe('{"users":[{"id":"7"}]}');
    expect((await call("GET", "/channels/presence-none/users")).text).toBe('{"users":[]}');
    expect((await call("GET", "/channels/presence-x/stats")).text).toBe(
      '{"occupied":true,"user_count":1,"connection_count":2}',
    );
  });

  test("what does not fit is 400", async () => {
    const { call } = apiOf();
    for (const [path, info] of [
      ["/channels", "user_count"],
      ["/channels/news", "user_count"],
      ["/channels/news", "subscription_count"],
      ["/channels/news", "cache"],
      ["/channels/a%20b", ""],
      ["/channels/news/users", ""],
    ] as const) {
      expect((await call("GET", path, { query: { info } })).status).toBe(400);
    }
  });

  test("a channel's name may be escaped: it is signed as it was sent and used decoded", async () => {
    const { world, call } = apiOf();
    world.connect().subscribe("a=b,c;d@e");
    for (const name of ["a=b,c;d@e", "a%3Db%2Cc%3Bd%40e"]) {
      expect(await call("GET", `/channels/${name}`)).toEqual({ status: 200, text: '{"occupied":true}' });
    }
  });
});

describe("the publish call of 2012", () => {
  test("has its name in the query, its data as body, and 202 as success", async () => {
    const { world, call } = apiOf();
    const client = world.connect();
    client.subscribe("news");
    client.take();
    const answer = await call("POST", "/channels/news/events", {
      query: { name: "e" },
      body: "raw, not json",
    });
    expect(answer).toEqual({ status: 202, text: "202 ACCEPTED\n" });
    expect(client.take()).toEqual(['{"event":"e","channel":"news","data":"raw, not json"}']);
  });
});

describe("who may ask", () => {
  test("nobody of an app that there is not, without a key, with a wrong signature, of a disabled app", async () => {
    const { world, send, call } = apiOf();
    expect(await send("GET", "/apps/4712/channels", "")).toMatchObject({ status: 404 });
    expect(await send("GET", "/apps/__proto__/channels", "")).toMatchObject({ status: 404 });
    expect((await send("GET", "/apps/4711/channels", "")).text).toStartWith("Missing parameter: auth_key\n");
    world.clock.advance(600_000);
    expect((await call("GET", "/channels")).text).toStartWith(
      "Timestamp expired: Given timestamp (2023-11-14T22:13:20Z)",
    );
    world.clock.advance(-600_000);
    world.apps.put(draft({ enabled: false }));
    expect(await call("GET", "/channels")).toMatchObject({ status: 403 });
  });

  test("a body is read only after the signature has proved right, and must be the signed one", async () => {
    const { send } = apiOf();
    const signed = { method: "POST", path: "/apps/4711/events", body: "{}" };
    const query = signApiRequest(nodeDigest, PAIR, signed, 1_700_000_000);
    expect((await send("POST", signed.path, query, "{ }")).text).toStartWith(
      "Invalid body_md5: the body has ",
    );
    expect((await send("POST", signed.path, query.replace("body_md5=", "x="), "{}")).text).toStartWith(
      "Invalid signature",
    );
    const bare = signApiRequest(nodeDigest, PAIR, { method: "POST", path: signed.path }, 1_700_000_000);
    expect((await send("POST", signed.path, bare, "{}")).text).toStartWith("Missing parameter: body_md5");
  });

  test("paths and methods that there are not are told so without a signature", async () => {
    const { send } = apiOf();
    expect(await send("GET", "/apps/4711/nothing", "")).toMatchObject({ status: 404 });
    expect(await send("GET", "/apps/4711/events", "")).toMatchObject({ status: 405 });
    expect(await send("DELETE", "/apps/4711/channels", "")).toMatchObject({ status: 405 });
  });

  test("requests and refusals are counted, those of unknown apps together", async () => {
    const { world, send, call } = apiOf();
    await call("GET", "/channels");
    await send("GET", "/apps/4711/channels", "");
    for (const id of ["a", "b", "c"]) await send("GET", `/apps/${id}/channels`, "");
    expect(world.tallies.of("4711").apiRequests.get("channels")).toEqual(
      new Map([
        [200, 1],
        [401, 1],
      ]),
    );
    expect([...world.tallies.of("").refusals]).toEqual([["apiAppUnknown", 3]]);
    expect([...world.tallies.all()].map(([id]) => id).sort()).toEqual(["", "4711"]);
  });
});

describe("a back end that fails", () => {
  test("is answered with 503 and logged, and the next request works", async () => {
    const { world, call, errors } = apiOf();
    const { counts } = world.localOccupancy;
    world.localOccupancy.counts = () => {
      throw new Error("the rows are broken");
    };
    const { status, text } = await call("GET", "/channels/news");
    expect(status).toBe(503);
    expect(text).toStartWith("The state is not known right now: the server's log says why\n");
    expect(errors).toHaveLength(1);
    world.localOccupancy.counts = counts;
    expect(await call("GET", "/channels/news")).toMatchObject({ status: 200 });
  });

  test("that answers later does not change the order of a batch", async () => {
    const answers = new HeldAnswers();
    const { world, post } = apiOf({ lastEvents: (local) => heldLastEvents(local, answers) });
    const client = world.connect();
    client.subscribe("cache-x");
    await answers.releaseAll();
    client.take();
    const batch = ["1", "2", "3"].map((data) => ({ name: "e", channel: "cache-x", data }));
    const answer = post("/batch_events", { batch });
    while (answers.count === 0) await Bun.sleep(1);
    while (answers.count > 0) await answers.release(answers.count - 1);
    expect(await answer).toEqual({ status: 200, text: "{}" });
    expect(client.take().map((frame) => /"data":"(\d)"/.exec(frame)?.[1])).toEqual(["1", "2", "3"]);
    expect(world.localLastEvents.recall("4711", "cache-x")).toMatchObject({ data: "3" });
  });
});

describe("POST /users/USER/terminate_connections", () => {
  const python = "/users/u-7/terminate_connections";

  test("ends the connections that are signed in as the user, and answers {}", async () => {
    const { world, post } = apiOf();
    const [client, other] = [world.connect(), world.connect()];
    client.signIn({ id: "anna@example.com" });
    other.signIn({ id: "u-8" });
    const answer = await post("/users/anna%40example.com/terminate_connections", {});
    expect(answer).toEqual({ status: 200, text: "{}" });
    expect(client.session.isOpen).toBe(false);
    expect(other.session.isOpen).toBe(true);
  });

  test("is a success for a user whom nobody knows, also without a body", async () => {
    const { call } = apiOf();
    expect(await call("POST", "/users/nobody/terminate_connections")).toEqual({ status: 200, text: "{}" });
  });

  test("finds the app by the key where the path does not name it, as python's", async () => {
    const { world, call, send } = apiOf();
    const client = world.connect();
    client.signIn({ id: "u-7" });
    const wrong = await send("POST", python, "auth_key=9f1c2e7a4b5d6083c1aa&auth_version=1.0", "{}");
    expect(wrong.status).toBe(401);
    expect(client.session.isOpen).toBe(true);
    expect(await call("POST", "", { path: python, body: "{}" })).toEqual({ status: 200, text: "{}" });
    expect(client.session.isOpen).toBe(false);
  });

  test("is refused there without a key, with an unknown one, with the signature of another path", async () => {
    const { world, send } = apiOf();
    const client = world.connect();
    client.signIn({ id: "u-7" });
    expect((await send("POST", python, "")).text).toStartWith("Missing parameter: auth_key\n");
    expect((await send("POST", python, "auth_key=nobody")).text).toStartWith("Unknown auth_key\n");
    const signed = { method: "POST", path: `/apps/4711${python}`, body: "{}" };
    const query = signApiRequest(nodeDigest, PAIR, signed, 1_700_000_000);
    expect((await send("POST", python, query, "{}")).text).toStartWith("Invalid signature: ");
    expect((await send("GET", python, query)).status).toBe(405);
    expect(client.session.isOpen).toBe(true);
    expect(world.tallies.of("").refusals.get("apiKeyUnknown")).toBe(1);
  });

  test("waits for the other nodes", async () => {
    const answers = new HeldAnswers();
    const { world, post } = apiOf({ terminations: (local) => heldTerminations(local, answers) });
    const client = world.connect();
    client.signIn({ id: "u-7" });
    const answer = post(python, {});
    while (answers.count === 0) await settled();
    await answers.releaseAll();
    expect((await answer).status).toBe(200);
    expect(client.session.isOpen).toBe(false);
  });
});
