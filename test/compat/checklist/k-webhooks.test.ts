/** Section K of the client compatibility checklist: webhooks. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { type StampedEvent, WEBHOOK_NAMES } from "@earshot/protocol/webhook";
import { pusherFor } from "../../support/authorizer.ts";
import { type Earshot, type GivenApp, startEarshot, TEST_APP } from "../../support/earshot.ts";
import { disconnectPushers, makePusher, once } from "../../support/pusher-client.ts";
import { connectRaw, type RawClient } from "../../support/raw-client.ts";
import { until } from "../../support/until.ts";
import { addWebhook, type EndpointOptions, eventsOf } from "../../support/webhook-endpoint.ts";
import {
  type ReceivedWebhook,
  startWebhookReceiver,
  stopWebhookReceivers,
  type Treatment,
  type WebhookReceiver,
} from "../../support/webhook-receiver.ts";

const VACATED_DELAY_MS = 600; // a fifth of the real time: a busy machine reloads in it all the same
const OTHER_APP: GivenApp = { id: "8", key: "8000c2e7a4b5d6083c1a", secret: "other-secret" };

let earshot: Earshot;
/** Where everything of the first app goes. */
let receiver: WebhookReceiver;

beforeAll(async () => {
  earshot = await startEarshot({
    apps: [TEST_APP, OTHER_APP],
    args: [
      ...["--occupancy-vacated-delay-ms", String(VACATED_DELAY_MS), "--occupancy-settle-ms", "0"],
      ...["--webhooks-retry-base-ms", "20"],
    ],
  });
  await earshot.updateApp("--client-events", "true");
  receiver = await receiverOf({});
});
afterEach(disconnectPushers);
afterAll(async () => {
  await earshot.stop();
  await stopWebhookReceivers();
});

/** A receiver with an endpoint of its own, which the server knows. The channel that shows it stays occupied. */
async function receiverOf(options: EndpointOptions): Promise<WebhookReceiver> {
  const made = await startWebhookReceiver();
  await addWebhook(earshot, made.url, { events: WEBHOOK_NAMES, ...options });
  const { prefix = "", suffix = "", appId = TEST_APP.id } = options;
  const channel = `${prefix === "" ? "probe-" : prefix}${made.url.replaceAll(/\D/g, "")}${suffix}`;
  const key = appId === OTHER_APP.id ? OTHER_APP.key : TEST_APP.key;
  const probe = await connectRaw(earshot, { key });
  await enter(probe, channel, channel.startsWith("presence-") ? { user_id: "probe" } : undefined);
  await until(`the endpoint ${made.url} is known`, () => made.received.length > 0);
  return made;
}

/** What is told of a channel, in the order in which it arrives. Each request is one that the official library accepts. */
function about(channel: string, at = receiver): StampedEvent[] {
  return at.received
    .filter(({ body }) => body.includes(JSON.stringify(channel)))
    .flatMap((request) => eventsOf(pusherFor(earshot), request))
    .filter((event) => event.channel === channel);
}

/** Name and user of each event of a channel. */
function stories(channel: string, at = receiver): string[] {
  return about(channel, at).map((event) =>
    "user_id" in event ? `${event.name} ${event.user_id}` : event.name,
  );
}

async function told(channel: string, story: string, at = receiver): Promise<void> {
  await until(`${story} of ${channel} is told`, () => stories(channel, at).includes(story));
}

async function requestAbout(channel: string, at = receiver): Promise<ReceivedWebhook> {
  const find = () => at.received.find(({ body }) => body.includes(JSON.stringify(channel)));
  await until(`${channel} is told of`, () => find() !== undefined);
  const found = find();
  if (found === undefined) throw new Error("found, and gone");
  return found;
}

async function subscriber(channel: string, user?: object): Promise<RawClient> {
  const client = await connectRaw(earshot);
  await enter(client, channel, user);
  return client;
}

async function enter(client: RawClient, channel: string, user?: object): Promise<void> {
  const extra = user === undefined ? {} : { channel_data: JSON.stringify(user) };
  const answer = await client.subscribe(channel, extra);
  expect(answer.event).toBe("pusher_internal:subscription_succeeded");
}

/** Without what Earshot adds. */
function plain({ id: _id, version: _version, occurred_ms: _occurred, ...event }: StampedEvent): object {
  return event;
}

function hmac(secret: string, text: string): string {
  return createHmac("sha256", secret).update(text).digest("hex");
}

test("K100: a webhook is a POST whose Content-Type is application/json and nothing more, as node wants it", async () => {
  await subscriber("k100");
  const { method, headers } = await requestAbout("k100");
  expect([method, headers["content-type"]]).toEqual(["POST", "application/json"]);
});

test("K101: the data of client_event is a string, whatever the client sent, and user_id too, also of numbers", async () => {
  const sender = await subscriber("private-k101");
  const channel = "private-k101";
  for (const data of [{ on: true }, '{"on": true}', "not json", 7, null])
    sender.send({ event: "client-typing", channel, data });
  sender.send({ event: "client-typing", channel });
  const sent = () => about(channel).filter(({ name }) => name === "client_event");
  await until("six client events are told", () => sent().length === 6);
  const common = { name: "client_event", channel, event: "client-typing", socket_id: sender.socketId };
  expect(sent().map(plain)).toEqual(
    ['{"on":true}', '{"on": true}', "not json", "7", "null", "{}"].map((data) => ({ ...common, data })),
  );

  const room = "presence-k101";
  const member = await subscriber(room, { user_id: 7, user_info: { name: "Zoë" } });
  member.send({ event: "client-typing", channel: room, data: {}, user_id: "forged" });
  await told(room, "client_event 7");
  expect(about(room).map(plain)).toEqual([
    { name: "channel_occupied", channel: room },
    { name: "member_added", channel: room, user_id: "7" },
    { ...common, channel: room, data: "{}", socket_id: member.socketId, user_id: "7" },
  ]);
});

test("K101: no event has anything but strings and whole numbers in it, and each has a channel", async () => {
  await until("there is something to look at", () => receiver.received.length > 0);
  for (const request of receiver.received)
    for (const event of eventsOf(pusherFor(earshot), request)) {
      expect(event.channel).toBeString();
      for (const value of Object.values(event))
        expect(typeof value === "string" || Number.isSafeInteger(value)).toBe(true);
    }
});

test("K102: time_ms is a whole number of milliseconds, not seconds and not a text, and recent", async () => {
  await subscriber("k102");
  const { body, headers, arrivedMs } = await requestAbout("k102");
  expect(body).toMatch(/^\{"time_ms":\d{13},"events":\[\{/);
  const timeMs = pusherFor(earshot).webhook({ headers, rawBody: body }).getData().time_ms;
  expect(Math.abs(arrivedMs - timeMs)).toBeLessThan(60_000);
});

test("K103: the signature is that of the bytes that arrive, with the key that is named", async () => {
  const sender = await subscriber("private-k103");
  sender.send({ event: "client-é\u2028", channel: "private-k103", data: 'é \u2028 \\ " 😀' });
  await until("the client event is told", () => stories("private-k103").includes("client_event"));
  for (const { headers, body } of receiver.received) {
    expect(headers["x-pusher-key"]).toBe(TEST_APP.key);
    expect(headers["x-pusher-signature"]).toBe(hmac(TEST_APP.secret, body));
  }
});

test("K103: an endpoint with a filter gets, under a signature of its own, only what it wants", async () => {
  const filter = { events: ["channel_occupied"], prefix: "presence-k103-", suffix: "-live" } as const;
  const filtered = await receiverOf(filter);
  const client = await connectRaw(earshot);
  const names = ["k103-live", "presence-k103-a", "presence-k103-a-live", "presence-k103-b-live"];
  for (const name of names) await enter(client, name, name.startsWith("p") ? { user_id: "ann" } : undefined);
  for (const name of names) await told(name, "channel_occupied");
  await told("presence-k103-b-live", "channel_occupied", filtered);
  for (const { headers, body } of filtered.received)
    expect(headers["x-pusher-signature"]).toBe(hmac(TEST_APP.secret, body));
  const events = filtered.received.flatMap((request) => eventsOf(pusherFor(earshot), request));
  for (const { name, channel } of events)
    expect([name, channel]).toEqual(["channel_occupied", expect.stringMatching(/^presence-k103-.*-live$/)]);
});

test("K104: a reload is not announced: whoever is back before the time is over was never away", async () => {
  const [reader, leaver] = [await subscriber("k104"), await subscriber("k104-left")];
  for (const [client, room] of [
    [reader, "presence-k104"],
    [leaver, "presence-k104-left"],
  ] as const)
    await enter(client, room, { user_id: "ann" });
  for (const room of ["presence-k104", "presence-k104-left"]) await told(room, "member_added ann");
  for (const channel of ["k104", "k104-left"]) await told(channel, "channel_occupied");
  reader.close();
  leaver.kill();
  await Promise.all([reader.closed, leaver.closed]);
  const again = await subscriber("k104");
  await enter(again, "presence-k104", { user_id: "ann" });
  // Who left at the same moment shows that the time is over.
  await told("k104-left", "channel_vacated");
  await told("presence-k104-left", "channel_vacated");
  expect(stories("k104")).toEqual(["channel_occupied"]);
  expect(stories("presence-k104")).toEqual(["channel_occupied", "member_added ann"]);
  expect(stories("presence-k104-left")).toEqual([
    "channel_occupied",
    "member_added ann",
    "member_removed ann",
    "channel_vacated",
  ]);
});

test("K104: pusher-js that disconnects and connects again, reload after reload, makes one channel_occupied", async () => {
  const control = await subscriber("k104-page-control");
  for (let reload = 0; reload < 5; reload++) {
    const page = makePusher(earshot);
    await once(page.subscribe("k104-page"), "pusher:subscription_succeeded");
    if (reload < 4) page.disconnect();
  }
  control.close();
  await told("k104-page-control", "channel_vacated");
  expect(stories("k104-page")).toEqual(["channel_occupied"]);
});

test("K105: channel_vacated comes when the last of several subscribers has gone, and once", async () => {
  const clients = [await subscriber("k105"), await subscriber("k105"), await subscriber("k105")];
  const control = await subscriber("k105-control");
  await told("k105-control", "channel_occupied");
  const [first, second, third] = clients;
  first?.close();
  second?.send({ event: "pusher:unsubscribe", data: { channel: "k105" } });
  control.close();
  await told("k105-control", "channel_vacated");
  expect(stories("k105")).toEqual(["channel_occupied"]);
  third?.kill();
  await told("k105", "channel_vacated");
  expect(stories("k105")).toEqual(["channel_occupied", "channel_vacated"]);
});

test("K106: no request holds events of two apps, and each is signed with the key of its own", async () => {
  const shared = await receiverOf({});
  await addWebhook(earshot, shared.url, { events: WEBHOOK_NAMES, appId: OTHER_APP.id });
  const others = await connectRaw(earshot, { key: OTHER_APP.key });
  await others.subscribe("b-probe");
  await requestAbout("b-probe", shared);
  const own = await connectRaw(earshot);
  // A receiver that is slow to answer, so that events gather.
  const late: Treatment = { does: "answers late", afterMs: 30 };
  shared.treat = () => late;
  const numbers = Array.from({ length: 60 }, (_, at) => at);
  for (const at of numbers)
    for (const [client, name] of [
      [own, "a"],
      [others, "b"],
    ] as const)
      client.send({ event: "pusher:subscribe", data: { channel: `${name}-${at}` } });
  const seen = () => shared.received.map(({ body }) => body).join();
  await until("all are told", () =>
    numbers.every((at) => seen().includes(`"a-${at}"`) && seen().includes(`"b-${at}"`)),
  );
  const sizes: number[] = [];
  for (const request of shared.received) {
    const app = request.headers["x-pusher-key"] === OTHER_APP.key ? OTHER_APP : TEST_APP;
    const events = eventsOf(pusherFor({ ...earshot, app }), request);
    const letters = events.map(({ channel }) => (channel.startsWith("b-") ? OTHER_APP.id : TEST_APP.id));
    expect([...new Set(letters)]).toEqual([app.id]);
    sizes.push(events.length);
  }
  expect(Math.max(...sizes)).toBeGreaterThan(1);
});

const FAILURES: readonly Treatment[] = [
  { does: "answers", status: 500 },
  { does: "answers", status: 404 },
  { does: "answers", status: 302, headers: { Location: "/elsewhere" } },
  { does: "loses the answer" },
  { does: "hangs up" },
];

test("K107: whatever is not answered by 2xx is sent again, the same bytes with the same signature, until it is", async () => {
  const failing = await receiverOf({ prefix: "k107-" });
  failing.received.length = 0;
  const failures = [...FAILURES];
  let successes = 0;
  failing.treat = () => {
    const failure = failures.shift();
    if (failure === undefined) successes++;
    return failure ?? { does: "answers", status: 204 };
  };
  await subscriber("k107-a");
  await until("it has come to its success", () => successes > 0);
  await until("the last attempt is there", () => failing.received.length > FAILURES.length);
  const attempts = failing.received.map(({ headers, body, path }) => ({
    number: Number(headers["x-earshot-attempt"]),
    sent: `${headers["x-earshot-delivery"]} ${headers["x-pusher-signature"]} ${path} ${body}`,
  }));
  expect(new Set(attempts.map(({ sent }) => sent)).size).toBe(1);
  // A kept connection that ends under a request is tried once more at once, which does not count.
  const numbers = attempts.map(({ number }) => number);
  expect(numbers.slice(0, 4)).toEqual([1, 2, 3, 4]);
  expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
});

test("K108: a presence user's second device is not told as added, and its leaving not as removed", async () => {
  const room = "presence-k108";
  const phone = await subscriber(room, { user_id: "ann", user_info: { device: "phone" } });
  await told(room, "member_added ann");
  await subscriber(room, { user_id: "ann", user_info: { device: "laptop" } });
  const bo = await subscriber(room, { user_id: "bo" });
  await told(room, "member_added bo");
  phone.close();
  bo.close();
  await told(room, "member_removed bo");
  expect(stories(room)).toEqual([
    "channel_occupied",
    "member_added ann",
    "member_added bo",
    "member_removed bo",
  ]);
});
