/** Section J of the client compatibility checklist: the HTTP API, with the requests of the official back-end libraries. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ApiAnswer, type ApiOptions, callApi, publish } from "../../support/api.ts";
import { pusherFor } from "../../support/authorizer.ts";
import { type Earshot, type GivenApp, startEarshot, TEST_APP } from "../../support/earshot.ts";
import {
  LIBRARY_REQUESTS,
  md5,
  pythonJson,
  pythonRequest,
  pythonTerminate,
  sign,
  sorted,
} from "../../support/library-requests.ts";
import { connectRaw, type RawClient } from "../../support/raw-client.ts";
import { type RawRequest, type RawResponse, sendRaw } from "../../support/raw-http.ts";

const PREFIX = "/realtime";
const EMPTY_APP: GivenApp = { id: "8", key: "8000c2e7a4b5d6083c1a", secret: "8000f6e1a90347c5e0ff" };
const LIBRARIES = ["python", "php", "node", "go", "ruby"] as const;
const WITH_PREFIX = ["php", "node", "go", "ruby"] as const; // python cannot be told of one

let earshot: Earshot;

beforeAll(async () => {
  earshot = await startEarshot({ args: ["--prefix", PREFIX], apps: [TEST_APP, EMPTY_APP] });
  await earshot.updateApp("--subscription-count", "true");
});

afterAll(async () => {
  await earshot.stop();
});

async function subscriber(...channels: string[]): Promise<RawClient> {
  const client = await connectRaw(earshot);
  for (const channel of channels) await enter(client, channel);
  return client;
}

async function enter(client: RawClient, channel: string, userId = "somebody"): Promise<void> {
  const extra = channel.startsWith("presence-") ? { channel_data: JSON.stringify({ user_id: userId }) } : {};
  expect((await client.subscribe(channel, extra)).event).toBe("pusher_internal:subscription_succeeded");
}

async function signedIn(id: string): Promise<RawClient> {
  const client = await connectRaw(earshot);
  client.send({ event: "pusher:signin", data: pusherFor(earshot).authenticateUser(client.socketId, { id }) });
  await client.next("pusher:signin_success");
  return client;
}

async function get(path: string, query: Readonly<Record<string, string>> = {}): Promise<ApiAnswer> {
  return await callApi(earshot, "GET", path, { query });
}

async function post(path: string, body: unknown, options: ApiOptions = {}): Promise<ApiAnswer> {
  return await callApi(earshot, "POST", path, { body, ...options });
}

/** Sends what a library sends, to the byte. */
async function send(request: RawRequest): Promise<RawResponse> {
  return await sendRaw(earshot, request);
}

/** The official text; what we add to it stands on lines of its own. */
function firstLine({ body }: { body: string }): string | undefined {
  return body.split("\n")[0];
}

test("J81: the requests that these tests make for python are those of the library, for a known time", () => {
  // The signature was computed with python itself: a GET with the MD5 of nothing.
  const app = { id: "4711", key: "9f1c2e7a4b5d6083c1aa", secret: "d2b8f6e1a90347c5e0ff" };
  const query = sorted({
    auth_key: app.key,
    auth_timestamp: "1700000000",
    auth_version: "1.0",
    body_md5: md5(""),
    filter_by_prefix: "presence-",
    info: "user_count",
  });
  expect(sign({ app, method: "GET" }, "/apps/4711/channels", query)).toBe(
    "bb018b12d0278883ce249f39fb54aeade1962bcbc841ba41102615cc914c3fcf",
  );
});

test.each([
  ["/channels", { filter_by_prefix: "presence-", info: "user_count" }],
  ["/channels", {}],
  ["/channels/presence-j81", { info: "user_count" }],
  ["/channels/presence-j81/users", {}],
] as const)("J81: python's GET %s with the MD5 of no body is accepted", async (path, query) => {
  const request = pythonRequest({ app: earshot.app, method: "GET", path, query });
  expect(request.target).toContain("body_md5=d41d8cd98f00b204e9800998ecf8427e&");
  const { status, body } = await send(request);
  expect([status, typeof JSON.parse(body)]).toEqual([200, "object"]);
});

test("J81: a body_md5 that is not that of no body is refused", async () => {
  const answer = await get("/channels", { body_md5: md5("something") });
  expect([answer.status, answer.text]).toEqual([401, expect.stringContaining("body_md5")]);
});

test("J81: a body_md5 that is left out of the signed text is refused", async () => {
  const call = { app: earshot.app, method: "GET", path: "/channels" } as const;
  const { target } = LIBRARY_REQUESTS.node(call);
  const added = target.replace("?", `?body_md5=${md5("")}&`);
  expect((await send({ method: "GET", target: added, headers: {} })).status).toBe(401);
});

describe.each(LIBRARIES)("J: requests of the %s library", (library) => {
  const make = LIBRARY_REQUESTS[library];
  const bodyOf = (value: unknown) => (library === "python" ? pythonJson(value) : JSON.stringify(value));

  test(`J83: ${library}: every success is exactly 200 and a JSON object`, async () => {
    const { app } = earshot;
    await subscriber(`presence-j83-${library}`);
    const event = { name: "e", channels: [`j83-${library}`], data: '{"text":"Zoë \u{1F600}"}' };
    const requests = [
      make({ app, method: "POST", path: "/events", body: bodyOf(event) }),
      make({
        app,
        method: "POST",
        path: "/batch_events",
        body: bodyOf({ batch: [{ name: "e", channel: "a", data: "" }] }),
      }),
      make({ app, method: "GET", path: "/channels" }),
      make({ app, method: "GET", path: `/channels/presence-j83-${library}` }),
      make({ app, method: "GET", path: `/channels/presence-j83-${library}/users` }),
    ];
    for (const request of requests) {
      const { status, headers, body } = await send(request);
      expect([request.target, status, headers.get("content-type")]).toEqual([
        request.target,
        200,
        expect.stringMatching(/^application\/json\b/),
      ]);
      expect(body).toMatch(/^\{.*\}$/);
    }
  });

  test(`J87: ${library}: an event arrives as it was sent`, async () => {
    const client = await subscriber(`j87-${library}`);
    const data = '{"text":"Zoë \u{1F600} \u2028 + & = %2B"}';
    const event = library === "php" ? { channel: `j87-${library}` } : { channels: [`j87-${library}`] };
    const body = bodyOf({ name: "e", data, ...event });
    expect((await send(make({ app: earshot.app, method: "POST", path: "/events", body }))).body).toBe("{}");
    expect((await client.next("e")).data).toBe(data);
  });

  test(`J92: ${library}: commas and other marks in the query verify, escaped or not`, async () => {
    const { app } = earshot;
    const [prefix, channel] = ["presence-a=b@c,d.e;f_", `cache-j92-${library}=@,;`];
    const client = await subscriber(`${prefix}-${library}`, channel);
    await publish(earshot, channel, "price", "1");
    await client.next("price");

    const query = { filter_by_prefix: prefix, info: "user_count" };
    const list = await send(make({ app, method: "GET", path: "/channels", query }));
    expect([list.status, list.body]).toEqual([200, expect.stringContaining(`${prefix}-${library}`)]);

    const both = { info: "subscription_count,cache" };
    const one = await send(make({ app, method: "GET", path: `/channels/${channel}`, query: both }));
    expect([one.status, JSON.parse(one.body)]).toMatchObject([
      200,
      { occupied: true, subscription_count: 1, cache: { data: "1" } },
    ]);
  });

  test(`J91: ${library}: a request with another secret is refused`, async () => {
    const app = { ...earshot.app, secret: "not-the-secret" };
    expect((await send(make({ app, method: "GET", path: "/channels" }))).status).toBe(401);
    expect((await send(make({ app, method: "POST", path: "/events", body: "{}" }))).status).toBe(401);
  });
});

test("J82: python's terminate call, whose path has no app, finds it by its key, under a prefix too", async () => {
  for (const prefix of ["", PREFIX]) {
    const client = await signedIn("u-j82");
    const other = await signedIn("u-j82-other");
    const { status, body } = await send(pythonTerminate(earshot.app, "u-j82", prefix));
    expect([status, body]).toEqual([200, "{}"]);
    expect((await client.closed).code).toBe(4009);
    await other.settled();
    other.close();
  }
});

test("J82: that call needs the signature of its own path, and ends nothing in another app", async () => {
  const client = await signedIn("u-j82");
  const request = pythonTerminate(earshot.app, "u-j82");
  const { app } = earshot;
  const call = { app, method: "POST", path: "/users/u-j82/terminate_connections", body: "{}" } as const;
  const [, query] = pythonRequest(call).target.split("?");
  const refused: [RawRequest, string][] = [
    [
      { ...request, target: request.target.replace(/auth_signature=..../, "auth_signature=0000") },
      "Invalid signature",
    ],
    [{ ...request, target: `/users/u-j82/terminate_connections?${query}` }, "Invalid signature"],
    [{ ...request, target: request.target.replace(app.key, "nobody") }, "Unknown auth_key"],
    [{ ...request, target: "/users/u-j82/terminate_connections" }, "Missing parameter: auth_key"],
  ];
  for (const [each, text] of refused) {
    const answer = await send(each);
    expect([answer.status, firstLine(answer)?.startsWith(text)]).toEqual([401, true]);
  }
  expect((await send(pythonTerminate(EMPTY_APP, "u-j82"))).status).toBe(200);
  await client.settled();
  client.close();
});

test("J83: every success of the real node library is exactly 200", async () => {
  const library = pusherFor(earshot);
  await subscriber("presence-j83-real");
  const responses = [
    await library.trigger("j83", "e", { a: 1 }),
    await library.trigger(["j83", "j83-b"], "e", "text", { info: "subscription_count" }),
    await library.triggerBatch([{ channel: "j83", name: "e", data: "" }]),
    await library.get({ path: "/channels", params: { filter_by_prefix: "presence-", info: "user_count" } }),
    await library.get({ path: "/channels/presence-j83-real", params: { info: "user_count" } }),
    await library.get({ path: "/channels/presence-j83-real/users" }),
  ];
  expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 200));
});

test("J84: a publish without info is answered by {}", async () => {
  expect((await post("/events", { name: "e", channels: ["j84"], data: "x" })).text).toBe("{}");
  expect((await post("/events", { name: "e", channels: ["j84"], data: "x", info: "" })).text).toBe("{}");
  expect((await post("/batch_events", { batch: [{ name: "e", channel: "j84", data: "x" }] })).text).toBe(
    "{}",
  );
  expect((await post("/batch_events", { batch: [] })).text).toBe("{}");
});

test("J85: channels is an object also when nothing is occupied", async () => {
  const all = await sendRaw(
    earshot,
    LIBRARY_REQUESTS.php({ app: EMPTY_APP, method: "GET", path: "/channels" }),
  );
  expect([all.status, all.body]).toEqual([200, '{"channels":{}}']);
  expect((await get("/channels", { filter_by_prefix: "j85-nobody" })).text).toBe('{"channels":{}}');
  const counted = await get("/channels", { filter_by_prefix: "presence-j85-nobody", info: "user_count" });
  expect(counted.text).toBe('{"channels":{}}');
});

test("J85: only occupied channels are listed, each as an object", async () => {
  const client = await subscriber("j85-a", "private-j85-b");
  expect((await get("/channels", { filter_by_prefix: "j85-" })).text).toBe('{"channels":{"j85-a":{}}}');
  client.send({ event: "pusher:unsubscribe", data: { channel: "j85-a" } });
  await client.settled();
  expect((await get("/channels", { filter_by_prefix: "j85-" })).text).toBe('{"channels":{}}');
  expect((await get("/channels", { filter_by_prefix: "private-j85" })).text).toBe(
    '{"channels":{"private-j85-b":{}}}',
  );
});

test("J86: a batch's answer has one object for each event, in order, empty where nothing was asked or applies", async () => {
  await subscriber("j86", "presence-j86");
  const event = (channel: string, info?: string) => ({
    name: "e",
    channel,
    data: "x",
    ...(info && { info }),
  });
  const batch = [
    event("j86"),
    event("presence-j86", "user_count"),
    event("j86", "subscription_count"),
    event("j86", "user_count"),
    event("j86-empty", "subscription_count,user_count"),
    event("presence-j86"),
  ];
  const answer = await post("/batch_events", { batch });
  expect(answer.text).toBe(
    '{"batch":[{},{"user_count":1},{"subscription_count":1},{},{"subscription_count":0},{}]}',
  );
});

test("J87: channel and channels are both accepted, and each of the channels hears it once", async () => {
  const client = await subscriber("j87-a", "j87-b");
  await post("/events", { name: "one", channel: "j87-a", data: "1" });
  await post("/events", { name: "two", channels: ["j87-a", "j87-b"], data: "2" });
  await post("/events", { name: "twice", channels: ["j87-a", "j87-a"], data: "3" });
  await publish(earshot, "j87-a", "last", "");
  await client.next("last");
  const heard = client.frames.filter(({ event }) => /^(one|two|twice)$/.test(event)).map(({ raw }) => raw);
  expect(heard).toEqual([
    '{"event":"one","channel":"j87-a","data":"1"}',
    '{"event":"two","channel":"j87-a","data":"2"}',
    '{"event":"two","channel":"j87-b","data":"2"}',
    '{"event":"twice","channel":"j87-a","data":"3"}',
  ]);
});

test("J88: data that is the empty string is accepted and delivered as such", async () => {
  const client = await subscriber("j88");
  expect((await post("/events", { name: "empty", channels: ["j88"], data: "" })).status).toBe(200);
  expect((await client.next("empty")).raw).toBe('{"event":"empty","channel":"j88","data":""}');
  const batch = [{ name: "empty", channel: "j88", data: "" }];
  expect((await post("/batch_events", { batch })).status).toBe(200);
  expect((await client.next("empty")).raw).toBe('{"event":"empty","channel":"j88","data":""}');
});

test("J88: an event without data is refused", async () => {
  const answer = await post("/events", { name: "e", channels: ["j88"] });
  expect([answer.status, answer.text]).toEqual([400, expect.stringContaining("data")]);
});

test("J89: users have string ids, each user once", async () => {
  const channel = "presence-j89";
  for (const userId of [1, "1", "u-7", "u-7", 42]) {
    const client = await connectRaw(earshot);
    await client.subscribe(channel, { channel_data: JSON.stringify({ user_id: userId }) });
  }
  expect((await get(`/channels/${channel}/users`)).text).toBe(
    '{"users":[{"id":"1"},{"id":"u-7"},{"id":"42"}]}',
  );
});

test("J89: a presence channel that nobody is on has no users", async () => {
  const answer = await get("/channels/presence-j89-empty/users");
  expect([answer.status, answer.text]).toEqual([200, '{"users":[]}']);
});

test("J90: user_count counts users, subscription_count connections, and each only where it is asked for", async () => {
  for (const userId of ["a", "a", "b"]) await enter(await connectRaw(earshot), "presence-j90", userId);
  await subscriber("j90");
  await subscriber("j90");
  const list = await get("/channels", { filter_by_prefix: "presence-j90", info: "user_count" });
  expect(list.text).toBe('{"channels":{"presence-j90":{"user_count":2}}}');
  expect((await get("/channels", { filter_by_prefix: "presence-j90" })).text).toBe(
    '{"channels":{"presence-j90":{}}}',
  );
  expect((await get("/channels/presence-j90", { info: "user_count" })).text).toBe(
    '{"occupied":true,"user_count":2}',
  );
  expect((await get("/channels/presence-j90")).text).toBe('{"occupied":true}');
  expect((await get("/channels/j90", { info: "subscription_count" })).text).toBe(
    '{"occupied":true,"subscription_count":2}',
  );

  const event = {
    name: "e",
    channels: ["presence-j90", "j90", "j90-empty", "presence-j90-empty"],
    data: "x",
  };
  expect((await post("/events", { ...event, info: "user_count,subscription_count" })).json()).toEqual({
    channels: {
      "presence-j90": { user_count: 2 },
      j90: { subscription_count: 2 },
      "j90-empty": { subscription_count: 0 },
      "presence-j90-empty": { user_count: 0 },
    },
  });
  expect((await post("/events", { ...event, info: "user_count" })).json()).toEqual({
    channels: {
      "presence-j90": { user_count: 2 },
      j90: {},
      "j90-empty": {},
      "presence-j90-empty": { user_count: 0 },
    },
  });
});

test.each([
  [
    "/channels",
    "info=user_count",
    "user_count may only be requested for presence channels - please supply filter_by_prefix beginning with presence-",
  ],
  [
    "/channels",
    "info=user_count&filter_by_prefix=pres",
    "user_count may only be requested for presence channels - please supply filter_by_prefix beginning with presence-",
  ],
  [
    "/channels/j90",
    "info=user_count",
    "Cannot retrieve the user count unless the channel is a presence channel",
  ],
  [
    "/channels/presence-j90",
    "info=subscription_count",
    "Cannot retrieve the subscription count of a presence channel",
  ],
  ["/channels/j90", "info=cache", "Cannot retrieve the cache unless the channel is a cache channel"],
  ["/channels/j90", "info=nonsense", undefined],
] as const)("J90: GET %s?%s is refused with 400", async (path, query, text) => {
  const answer = await get(path, Object.fromEntries(new URLSearchParams(query)));
  expect(answer.status).toBe(400);
  if (text !== undefined) expect(firstLine({ body: answer.text })).toBe(text);
});

test("J91: a timestamp 600 seconds or more away is refused with the known text", async () => {
  const now = Math.floor(Date.now() / 1_000);
  for (const timestamp of [now - 600, now - 86_400, now + 610]) {
    const answer = await callApi(earshot, "GET", "/channels", { timestamp });
    expect(answer.status).toBe(401);
    const iso = `${new Date(timestamp * 1_000).toISOString().slice(0, 19)}Z`;
    expect(answer.text).toStartWith(
      `Timestamp expired: Given timestamp (${iso}) not within 600s of server time (${new Date().toISOString().slice(0, 10)}T`,
    );
  }
});

test("J91: a timestamp less than 600 seconds away is accepted", async () => {
  const now = Math.floor(Date.now() / 1_000);
  for (const timestamp of [now - 590, now - 60, now + 60, now + 599]) {
    expect((await callApi(earshot, "GET", "/channels", { timestamp })).status).toBe(200);
  }
});

test("J92: the real node library's unescaped query verifies", async () => {
  await subscriber("cache-j92-real=1", "presence-j92-real");
  const library = pusherFor(earshot);
  const one = await library.get({
    path: "/channels/cache-j92-real=1",
    params: { info: "subscription_count,cache" },
  });
  expect(await one.json()).toEqual({ occupied: true, subscription_count: 1, cache: null });
  const params = { filter_by_prefix: "presence-j92,=@;", info: "user_count" };
  expect(await (await library.get({ path: "/channels", params })).json()).toEqual({ channels: {} });
});

test.each([
  ["a raw plus that was signed as a plus (go)", "a+b", "a+b"],
  ["a raw plus that was signed as a space (a form, as ruby writes it)", "a+b", "a b"],
  ["an escaped plus that was signed as a plus (php, ruby)", "a%2Bb", "a+b"],
  ["an escaped space that was signed as a space (php)", "a%20b", "a b"],
  ["an unescaped equals sign", "a=b==", "a=b=="],
  ["a percent sign that escapes nothing", "100%", "100%"],
])("J92: %s verifies", async (_, written, signed) => {
  const auth = {
    auth_key: earshot.app.key,
    auth_timestamp: `${Math.floor(Date.now() / 1_000)}`,
    auth_version: "1.0",
  };
  const path = `/apps/${earshot.app.id}/channels`;
  const signature = sign(
    { app: earshot.app, method: "GET" },
    path,
    sorted({ ...auth, filter_by_prefix: signed }),
  );
  const query = Object.entries({ ...auth, filter_by_prefix: written, auth_signature: signature });
  const target = `${path}?${query.map(([name, value]) => `${name}=${value}`).join("&")}`;
  expect((await send({ method: "GET", target, headers: {} })).body).toBe('{"channels":{}}');
});

test("J92: a list in the query verifies as the reference signer writes it and as php joins it", async () => {
  const { app } = earshot;
  const client = await subscriber("j92-list-a", "j92-list-b");
  const path = `/apps/${app.id}/events`;
  const auth = {
    auth_key: app.key,
    auth_timestamp: `${Math.floor(Date.now() / 1_000)}`,
    auth_version: "1.0",
  };
  const rest = { ...auth, data: "x" };
  const asWritten = [...sorted(rest), ["channels[]", "j92-list-a"], ["channels[]", "j92-list-b"]] as const;
  const readings = [
    [
      "reference",
      [...asWritten, ["name", "reference"]].sort(([a = ""], [b = ""]) => (a < b ? -1 : a > b ? 1 : 0)),
    ],
    ["php", sorted({ ...rest, channels: "j92-list-a,j92-list-b", name: "php" })],
  ] as const;
  for (const [name, signed] of readings) {
    const pairs = signed.map(([key = "", value = ""]) => [key, value] as const);
    const signature = sign({ app, method: "POST" }, path, pairs);
    const query = [...asWritten, ["name", name], ["auth_signature", signature]];
    const target = `${path}?${query.map(([key = "", value = ""]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join("&")}`;
    const answer = await send({ method: "POST", target, headers: {} });
    expect([name, answer.status, answer.body]).toEqual([name, 200, "{}"]);
    await client.next(({ event, channel }) => event === name && channel === "j92-list-a");
    await client.next(({ event, channel }) => event === name && channel === "j92-list-b");
  }
});

describe.each(WITH_PREFIX)("J93: under a prefix, requests of the %s library", (library) => {
  test(`J93: ${library}: verify under the prefix, and publish`, async () => {
    const client = await subscriber(`j93-${library}`);
    const call = { app: earshot.app, prefix: PREFIX } as const;
    const body = JSON.stringify({ name: "e", channels: [`j93-${library}`], data: "x" });
    const request = LIBRARY_REQUESTS[library]({ ...call, method: "POST", path: "/events", body });
    expect(request.target).toStartWith("/realtime/apps/");
    expect((await send(request)).status).toBe(200);
    await client.next("e");
    const query = { filter_by_prefix: "j93-", info: "" };
    expect(
      (await send(LIBRARY_REQUESTS[library]({ ...call, method: "GET", path: "/channels", query }))).status,
    ).toBe(200);
  });
});

test("J93: a prefix that is not configured is not found", async () => {
  const call = { app: earshot.app, method: "GET", path: "/channels", prefix: "/elsewhere" } as const;
  expect((await send(LIBRARY_REQUESTS.php(call))).status).toBe(404);
  expect((await send(LIBRARY_REQUESTS.node(call))).status).toBe(404);
});

test("J93: a bare request that was signed with the prefix is refused", async () => {
  const answer = await callApi(earshot, "GET", "/channels", {
    signedPath: `${PREFIX}/apps/${earshot.app.id}/channels`,
  });
  expect(answer.status).toBe(401);
});

test.each([
  ["ASCII", "x".repeat(10_240)],
  ["characters of two bytes", "é".repeat(5_120)],
  ["characters of four bytes", "😀".repeat(2_560)],
  ["characters that JSON escapes", '"'.repeat(10_240)],
])("J94: 10,240 bytes of %s are accepted and delivered, one more is 413", async (_, data) => {
  const client = await subscriber("j94");
  await publish(earshot, "j94", "fits", data);
  expect((await client.next("fits")).data).toBe(data);
  const text =
    "The data content of this event exceeds the allowed maximum (10240 bytes). " +
    "See https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info";
  const tooLarge = { name: "over", data: `${data}x` };
  for (const answer of [
    await post("/events", { ...tooLarge, channels: ["j94"] }),
    await post("/batch_events", {
      batch: [
        { name: "fine", data: "x", channel: "j94" },
        { ...tooLarge, channel: "j94" },
      ],
    }),
  ]) {
    expect(answer.status).toBe(413);
    expect(answer.headers.get("content-type")).toStartWith("text/plain");
    expect(firstLine({ body: answer.text })).toBe(text);
  }
  await publish(earshot, "j94", "last", "");
  await client.next("last");
  expect(client.frames.slice(-2).map(({ event }) => event)).toEqual(["fits", "last"]);
});

test("J95: an excluded connection does not hear the event on any channel of the list", async () => {
  const excluded = await subscriber("j95-a", "private-j95-b", "presence-j95-c");
  const other = await subscriber("j95-a", "private-j95-b", "presence-j95-c");
  const channels = ["j95-a", "private-j95-b", "presence-j95-c"];
  await publish(earshot, channels, "saved", "x", { socket_id: excluded.socketId });
  await publish(earshot, channels, "last", "x");
  for (const channel of channels) {
    for (const client of [excluded, other])
      await client.next((f) => f.event === "last" && f.channel === channel);
  }
  expect(other.frames.filter(({ event }) => event === "saved").map(({ channel }) => channel)).toEqual(
    channels,
  );
  expect(excluded.frames.filter(({ event }) => event === "saved")).toEqual([]);
});

test("J95: each event of a batch excludes its own connection", async () => {
  const [a, b] = [await subscriber("j95-batch"), await subscriber("j95-batch")];
  const event = (name: string, socketId?: string) => ({
    name,
    channel: "j95-batch",
    data: "x",
    ...(socketId === undefined ? {} : { socket_id: socketId }),
  });
  await post("/batch_events", {
    batch: [event("not-a", a.socketId), event("not-b", b.socketId), event("last")],
  });
  for (const client of [a, b]) await client.next("last");
  const heard = (client: RawClient) => client.frames.slice(-2).map(({ event }) => event);
  expect([heard(a), heard(b)]).toEqual([
    ["not-b", "last"],
    ["not-a", "last"],
  ]);
});

test("J95: an unknown socket id excludes nobody, a malformed one is refused", async () => {
  const client = await subscriber("j95-unknown");
  await publish(earshot, "j95-unknown", "e", "x", { socket_id: "1.1" });
  await client.next("e");
  for (const socket_id of ["nonsense", "1", "1.2.3", "1.a", 7, {}]) {
    const answer = await post("/events", { name: "e", channels: ["j95-unknown"], data: "x", socket_id });
    expect([socket_id, answer.status]).toEqual([socket_id, 400]);
  }
});

test("J96: 100 channels and 10 events are accepted, 101 and 11 are refused with 400 and reach nobody", async () => {
  const client = await subscriber("j96-0");
  const channels = (count: number) => Array.from({ length: count }, (_, i) => `j96-${i}`);
  const batch = (count: number) =>
    channels(count).map((channel) => ({ channel, name: `batch-${count}`, data: "x" }));
  expect((await post("/events", { name: "many-100", channels: channels(100), data: "x" })).status).toBe(200);
  expect((await post("/events", { name: "many-101", channels: channels(101), data: "x" })).status).toBe(400);
  expect((await post("/batch_events", { batch: batch(10) })).status).toBe(200);
  expect((await post("/batch_events", { batch: batch(11) })).status).toBe(400);
  await publish(earshot, "j96-0", "last", "");
  await client.next("last");
  expect(client.frames.slice(-3).map(({ event }) => event)).toEqual(["many-100", "batch-10", "last"]);
});

test("J97: a channel that nobody is on is 200 and not occupied", async () => {
  expect((await get("/channels/j97")).text).toBe('{"occupied":false}');
  expect((await get("/channels/presence-j97", { info: "user_count" })).text).toBe(
    '{"occupied":false,"user_count":0}',
  );
  expect((await get("/channels/j97", { info: "subscription_count" })).text).toBe(
    '{"occupied":false,"subscription_count":0}',
  );
  expect((await get("/channels/cache-j97", { info: "cache" })).text).toBe('{"occupied":false,"cache":null}');
});

test("J97: a channel's name may be escaped in the path, and is signed as it is written", async () => {
  await subscriber("j97-a=b@c,d;e");
  expect((await get("/channels/j97-a=b@c,d;e")).text).toBe('{"occupied":true}');
  expect((await get("/channels/j97-a%3Db%40c%2Cd%3Be")).text).toBe('{"occupied":true}');
});

test("J98: the users of a channel without members are refused with 400", async () => {
  await subscriber("j98", "private-j98");
  for (const channel of ["j98", "private-j98", "cache-j98"]) {
    const answer = await get(`/channels/${channel}/users`);
    expect([channel, answer.status]).toEqual([channel, 400]);
  }
});

test("J99: errors are plain text that begins with the service's words", async () => {
  const bad = { name: "e", channels: ["no spaces"], data: "x" };
  const app = earshot.app;
  const cases: [status: number, text: string | RegExp, answer: ApiAnswer][] = [
    [401, "Missing parameter: auth_key", await callApi(earshot, "GET", "/channels", { sign: false })],
    [401, "Unknown auth_key", await callApi(earshot, "GET", "/channels", { key: "nobody" })],
    [
      401,
      "Unknown auth_key",
      await callApi(earshot, "GET", "/channels", { key: EMPTY_APP.key, secret: EMPTY_APP.secret }),
    ],
    [401, "Version not supported", await get("/channels", { auth_version: "2.0" })],
    [401, "Timestamp required", await get("/channels", { auth_timestamp: "soon" })],
    [
      401,
      /^Timestamp expired: Given timestamp \(/,
      await callApi(earshot, "GET", "/channels", { timestamp: 1_700_000_000 }),
    ],
    [
      401,
      /^Invalid signature: you should have sent HmacSHA256Hex\("/,
      await callApi(earshot, "GET", "/channels", { secret: "x" }),
    ],
    [401, /body_md5/, await post("/events", "{}", { query: { body_md5: md5("other") } })],
    [400, /^Invalid channel name no spaces/, await post("/events", bad)],
    [400, /JSON/, await post("/events", "{")],
    [400, /JSON/, await post("/events", "[]")],
    [400, "Missing parameter: name", await post("/events", { channels: ["a"], data: "x" })],
    [400, "Missing parameter: channels", await post("/events", { name: "e", data: "x" })],
    [404, /could not be found/, await callApi(earshot, "GET", "/apps/nobody/channels")],
    [404, /^Not found/, await get("/nonsense")],
    [405, /not supported/, await callApi(earshot, "PUT", "/events", { body: {} })],
    [
      413,
      /^The data content of this event exceeds the allowed maximum \(10240 bytes\)/,
      await post("/events", { ...bad, channels: ["a"], data: "x".repeat(10_241) }),
    ],
  ];
  for (const [status, text, answer] of cases) {
    const line = firstLine({ body: answer.text }) ?? "";
    expect([answer.status, line]).toEqual([
      status,
      typeof text === "string" ? text : expect.stringMatching(text),
    ]);
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain\b/);
    expect(() => JSON.parse(answer.text)).toThrow();
    expect(answer.text).not.toContain(app.secret);
  }
});

test("J99: an invalid signature is answered by the text that should have been signed", async () => {
  const answer = await callApi(earshot, "GET", "/channels", {
    secret: "x",
    query: { filter_by_prefix: "a" },
  });
  const [, signed = "", got = ""] =
    /HmacSHA256Hex\((".*"), your_secret_key\), but you sent (".*")$/.exec(
      firstLine({ body: answer.text }) ?? "",
    ) ?? [];
  expect(JSON.parse(signed)).toMatch(
    /^GET\n\/apps\/7\/channels\nauth_key=9f1c2e7a4b5d6083c1aa&auth_timestamp=\d+&auth_version=1\.0&filter_by_prefix=a$/,
  );
  expect(JSON.parse(got)).toMatch(/^[0-9a-f]{64}$/);
});

test("J99: the real node library shows status and text of an error", async () => {
  const library = pusherFor({ ...earshot, url: earshot.url, app: { ...earshot.app, secret: "wrong" } });
  const failure: unknown = await library.trigger("a", "e", "x").catch((error: unknown) => error);
  expect(failure).toMatchObject({
    name: "PusherRequestError",
    status: 401,
    body: expect.stringMatching(
      /^Invalid signature: you should have sent HmacSHA256Hex\("POST\\n\/apps\/7\/events\\n/,
    ),
  });
});

test("J: the deprecated publish of 2012 answers 202 and delivers the body as it is", async () => {
  const client = await subscriber("j-2012");
  const answer = await callApi(earshot, "POST", "/channels/j-2012/events", {
    query: { name: "old" },
    body: '{"raw": 1}',
  });
  expect(answer.status).toBe(202);
  expect((await client.next("old")).raw).toBe('{"event":"old","channel":"j-2012","data":"{\\"raw\\": 1}"}');
});
