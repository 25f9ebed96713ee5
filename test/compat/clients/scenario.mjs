/**
 * What an application does with the official client and back-end library, both unchanged. One step a run, in whatever
 * runtime it is started with: `scenario.mjs STEP`. The server is named by HOST, PORT, APP_ID, KEY and SECRET, a transport by TRANSPORT.
 * Exit code 0 means that everything came as it should.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import BackEnd from "pusher";
import Pusher from "pusher-js";

/** @param {string} name */
function setting(name, fallback = "") {
  const value = process.env[name] ?? fallback;
  if (value === undefined || value === "") throw new Error(`${name} is not set`);
  return value;
}

/** The only transport that the client may use, such as `xhr_polling`; its own choice where it is not set. */
const transport = process.env["TRANSPORT"];

/** A client that found the port closed tries again after 15 seconds. */
const PATIENCE_MS = Number(setting("PATIENCE_MS", "30000"));

const server = { host: setting("HOST"), port: Number(setting("PORT")) };
const backEnd = new BackEnd({
  appId: setting("APP_ID"),
  key: setting("KEY"),
  secret: setting("SECRET"),
  host: server.host,
  port: String(server.port),
  encryptionMasterKeyBase64: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
});

/** The application's own endpoint: it lets everybody in as whom they say they are. */
const authorizer = createServer((request, response) => {
  let form = "";
  request.on("data", (chunk) => {
    form += chunk;
  });
  request.on("end", () => {
    const fields = new URLSearchParams(form);
    const [socketId, channel] = [fields.get("socket_id") ?? "", fields.get("channel_name") ?? ""];
    const userId = fields.get("user_id") ?? "";
    const answer = channel.startsWith("presence-")
      ? backEnd.authorizeChannel(socketId, channel, {
          user_id: userId,
          user_info: { name: `Name of ${userId}` },
        })
      : backEnd.authorizeChannel(socketId, channel);
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(answer));
  });
});

/** @returns {Promise<string>} */
function startAuthorizer() {
  return new Promise((resolve, reject) => {
    authorizer.listen(0, "127.0.0.1", () => {
      const address = authorizer.address();
      if (typeof address === "object" && address !== null) resolve(`http://127.0.0.1:${address.port}/`);
      else reject(new Error("the authorizer has no address"));
    });
  });
}

const endpoint = await startAuthorizer();

/** @type {Pusher[]} */
const clients = [];

/**
 * @param {string} [userId]
 * @param {Partial<import("pusher-js").Options>} [more]
 */
function connect(userId = "somebody", more = {}) {
  const client = new Pusher(setting("KEY"), {
    cluster: "unused",
    wsHost: server.host,
    wsPort: server.port,
    httpHost: server.host,
    httpPort: server.port,
    ...(transport === undefined
      ? {}
      : {
          enabledTransports: [/** @type {import("pusher-js/types/src/core/config").Transport} */ (transport)],
        }),
    forceTLS: false,
    channelAuthorization: { transport: "ajax", endpoint, params: { user_id: userId } },
    ...more,
  });
  clients.push(client);
  return client;
}

/** @typedef {{ bind(event: string, callback: Function): unknown }} Emitter */

/**
 * The next time that an event is emitted: what its callback is given.
 *
 * @param {Emitter} emitter
 * @param {string} event
 * @returns {Promise<unknown[]>}
 */
function heard(emitter, event) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited in vain for ${event}`)), PATIENCE_MS);
    emitter.bind(event, (/** @type {unknown[]} */ ...given) => {
      clearTimeout(timer);
      resolve(given);
    });
  });
}

/**
 * All data of an event, as it comes.
 *
 * @param {Emitter} emitter
 * @param {string} event
 * @returns {unknown[]}
 */
function collected(emitter, event) {
  /** @type {unknown[]} */
  const all = [];
  emitter.bind(event, (/** @type {unknown} */ data) => all.push(data));
  return all;
}

/**
 * @param {Pusher} client
 * @param {string} name
 */
async function subscribe(client, name) {
  const channel = client.subscribe(name);
  await heard(channel, "pusher:subscription_succeeded");
  return channel;
}

/**
 * @param {Pusher} client
 * @param {string} name
 */
async function join(client, name) {
  return /** @type {import("pusher-js").PresenceChannel} */ (await subscribe(client, name));
}

/**
 * Who is there, as a client sees it.
 *
 * @param {import("pusher-js").PresenceChannel} channel
 */
function present({ members }) {
  return { count: members.count, myID: members.myID, members: { ...members.members } };
}

/**
 * Publishes and returns what a channel emits for it.
 *
 * @param {import("pusher-js").Channel} channel
 * @param {string} event
 * @param {unknown} data
 */
async function roundTrip(channel, event, data) {
  const arrival = heard(channel, event);
  await backEnd.trigger(channel.name, event, data);
  const [received] = await arrival;
  return received;
}

/** @param {string} path */
async function state(path, params = {}) {
  const response = await backEnd.get({ path, params });
  assert.equal(response.status, 200);
  return await response.json();
}

/** @param {string} channel */
async function vacated(channel) {
  const endMs = Date.now() + PATIENCE_MS;
  while ((await state(`/channels/${channel}`)).occupied)
    assert(Date.now() < endMs, `${channel} stays occupied`);
}

/** The channels that a client who comes back must be in again. */
const KINDS = ["news", "private-orders", "presence-room", "private-encrypted-vault", "cache-price"];

/** @type {Record<string, () => Promise<void>>} */
const STEPS = {
  async connect() {
    const client = connect();
    await heard(client.connection, "connected");
    assert.match(client.connection.socket_id, /^\d+\.\d+$/);
    assert.equal(client.connection.state, "connected");
  },

  async public() {
    const channel = await subscribe(connect(), "news");
    assert.deepEqual(await roundTrip(channel, "headline", { text: "Zoë \u2028 😀" }), {
      text: "Zoë \u2028 😀",
    });
    assert.equal(await roundTrip(channel, "plain", "not JSON"), "not JSON");
    assert.equal(await roundTrip(channel, "App\\Events\\X.y", "x"), "x");
  },

  async private() {
    const channel = await subscribe(connect(), "private-orders");
    assert.deepEqual(await roundTrip(channel, "shipped", { id: 42 }), { id: 42 });
  },

  async presence() {
    const zoe = await join(connect("zoe"), "presence-room");
    assert.deepEqual(present(zoe), { count: 1, myID: "zoe", members: { zoe: { name: "Name of zoe" } } });

    const arrivals = collected(zoe, "pusher:member_added");
    const departures = collected(zoe, "pusher:member_removed");
    const annsFirst = connect("ann");
    const ann = await join(annsFirst, "presence-room");
    const both = { zoe: { name: "Name of zoe" }, ann: { name: "Name of ann" } };
    assert.deepEqual(present(ann), { count: 2, myID: "ann", members: both });
    const annsSecond = connect("ann");
    await join(annsSecond, "presence-room");
    annsFirst.disconnect();
    await roundTrip(zoe, "marker", {});
    assert.deepEqual(present(zoe), { count: 2, myID: "zoe", members: both });
    assert.deepEqual(await state("/channels/presence-room/users"), { users: [{ id: "zoe" }, { id: "ann" }] });

    const gone = heard(zoe, "pusher:member_removed");
    annsSecond.disconnect();
    await gone;
    assert.deepEqual(arrivals, [{ id: "ann", info: { name: "Name of ann" } }]);
    assert.deepEqual(departures, [{ id: "ann", info: { name: "Name of ann" } }]);
    assert.equal(present(zoe).count, 1);
  },

  async "client events"() {
    const [zoe, ann] = [connect("zoe"), connect("ann")];
    for (const name of ["private-chat", "presence-chat"]) {
      const sending = await subscribe(zoe, name);
      const receiving = await subscribe(ann, name);
      const echoes = collected(sending, "client-typing");
      const arrival = heard(receiving, "client-typing");
      assert.equal(sending.trigger("client-typing", { on: true }), true);
      const [data, metadata] = await arrival;
      assert.deepEqual(data, { on: true });
      assert.deepEqual(metadata, name === "presence-chat" ? { user_id: "zoe" } : {});
      await roundTrip(sending, "marker", {});
      assert.deepEqual(echoes, []);
    }
  },

  async encrypted() {
    const client = connect();
    for (const name of ["private-encrypted-vault", "private-encrypted-cache-vault"]) {
      const channel = await subscribe(client, name);
      assert.deepEqual(await roundTrip(channel, "secret", { code: "42", by: "Zoë" }), {
        code: "42",
        by: "Zoë",
      });
      await backEnd.triggerBatch([{ channel: name, name: "in-a-batch", data: { n: 1 } }]);
      assert.deepEqual(await roundTrip(channel, "after", "text"), "text");
    }
  },

  async cache() {
    for (const name of ["cache-p", "private-cache-p", "presence-cache-p", "private-encrypted-cache-p"]) {
      const early = connect().subscribe(name);
      const missed = heard(early, "pusher:cache_miss");
      await heard(early, "pusher:subscription_succeeded");
      await missed;
      assert.deepEqual(await roundTrip(early, "price", { p: 1 }), { p: 1 });

      const late = connect("late").subscribe(name);
      const [remembered] = await heard(late, "price");
      assert.deepEqual(remembered, { p: 1 });
    }
  },

  async exclusion() {
    const [zoe, ann] = [connect("zoe"), connect("ann")];
    const own = await subscribe(zoe, "exclusion-a");
    const ownOther = await subscribe(zoe, "exclusion-b");
    const other = await subscribe(ann, "exclusion-b");
    const echoes = [collected(own, "saved"), collected(ownOther, "saved")];
    const arrival = heard(other, "saved");
    const socket_id = zoe.connection.socket_id;
    await backEnd.trigger(["exclusion-a", "exclusion-b"], "saved", { id: 1 }, { socket_id });
    await arrival;
    await roundTrip(own, "marker", {});
    await roundTrip(ownOther, "marker", {});
    assert.deepEqual(echoes, [[], []]);
  },

  async counts() {
    const first = connect().subscribe("counted");
    const [one] = await heard(first, "pusher:subscription_count");
    assert.deepEqual(one, { subscription_count: 1 });
    const next = heard(first, "pusher:subscription_count");
    const second = connect();
    await subscribe(second, "counted");
    assert.deepEqual(await next, [{ subscription_count: 2 }]);
    assert.equal(first.subscriptionCount, 2);
    const response = await backEnd.trigger(
      ["counted", "presence-nobody"],
      "e",
      {},
      {
        info: "subscription_count,user_count",
      },
    );
    assert.deepEqual(await response.json(), {
      channels: { counted: { subscription_count: 2 }, "presence-nobody": { user_count: 0 } },
    });
  },

  async refusal() {
    const client = connect("zoe", {
      channelAuthorization: {
        endpoint: "",
        transport: "ajax",
        customHandler: (_, callback) => callback(null, { auth: `${setting("KEY")}:${"0".repeat(64)}` }),
      },
    });
    const errors = collected(client.connection, "error");
    const channel = client.subscribe("private-refused");
    const [refusal] = await heard(channel, "pusher:subscription_error");
    assert.equal(
      typeof refusal === "object" && refusal !== null && "status" in refusal && refusal.status,
      401,
    );
    assert.equal(errors.length, 1);
    assert.equal(channel.subscribed, false);
    assert.equal(client.connection.state, "connected");
    await roundTrip(await subscribe(client, "news"), "still", "here");
  },

  async state() {
    await join(connect("zoe"), "presence-state");
    await join(connect("zoe"), "presence-state");
    await subscribe(connect(), "state");
    assert.deepEqual(await state("/channels", { filter_by_prefix: "presence-st", info: "user_count" }), {
      channels: { "presence-state": { user_count: 1 } },
    });
    assert.deepEqual(await state("/channels/presence-state", { info: "user_count" }), {
      occupied: true,
      user_count: 1,
    });
    assert.deepEqual(await state("/channels/nobody-there"), { occupied: false });
    await assert.rejects(state("/channels/state/users"), { name: "PusherRequestError", status: 400 });
  },

  async unsubscribe() {
    const client = connect();
    const channel = await subscribe(client, "private-left");
    const events = collected(channel, "after");
    channel.unsubscribe();
    await vacated("private-left"); // over HTTP the client's word and the back-end's may overtake each other
    await backEnd.trigger("private-left", "after", {});
    assert.deepEqual(await roundTrip(await subscribe(client, "private-left"), "again", 1), 1);
    assert.deepEqual(events, []);
  },

  /** The server is stopped and started again at the word "ready". */
  async reconnect() {
    const client = connect("zoe");
    const channels = [];
    for (const kind of KINDS) channels.push(await subscribe(client, kind));
    const firstSocketId = client.connection.socket_id;
    const back = channels.map((channel) => heard(channel, "pusher:subscription_succeeded"));
    const reconnected = heard(client.connection, "connected");
    console.log("ready");
    await reconnected;
    await Promise.all(back);
    assert.notEqual(client.connection.socket_id, firstSocketId);
    for (const channel of channels) assert.deepEqual(await roundTrip(channel, "back", { n: 1 }), { n: 1 });
  },

  /** Joins CHANNEL as USER_ID and stays until the process is killed. */
  async stay() {
    const name = setting("CHANNEL");
    await subscribe(connect(setting("USER_ID")), name);
    console.log("ready");
    await new Promise(() => setInterval(() => {}, 60_000));
  },
};

const step = process.argv[2] ?? "";
const run = STEPS[step];
if (run === undefined) throw new Error(`there is no step ${step}, only ${Object.keys(STEPS).join(", ")}`);
try {
  await run();
} catch (problem) {
  console.error(problem);
  process.exit(1);
}
for (const client of clients) client.disconnect();
authorizer.close();
process.exit(0);
