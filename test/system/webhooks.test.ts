/** Webhooks from end to end: a real client, the program, a real receiver that reads with the official library. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { StampedEvent, WebhookName } from "@earshot/protocol/webhook";
import { WEBHOOK_NAMES } from "@earshot/protocol/webhook";
import Pusher from "pusher";
import { laneOf } from "../../packages/server/src/core/lane.ts";
import { publish } from "../support/api.ts";
import { pusherFor } from "../support/authorizer.ts";
import { type Earshot, type GivenApp, startEarshot, TEST_APP } from "../support/earshot.ts";
import { arrive, logOf, shown } from "../support/occupancy.ts";
import { runProgram } from "../support/program.ts";
import { twentieth } from "../support/twentieth.ts";
import { until } from "../support/until.ts";
import { addWebhook, type EndpointOptions, eventsOf, updateWebhook } from "../support/webhook-endpoint.ts";
import {
  type ReceivedWebhook,
  startWebhookReceiver,
  stopWebhookReceivers,
  type WebhookReceiver,
} from "../support/webhook-receiver.ts";

const OTHER_APP: GivenApp = { id: "8", key: "other-key", secret: "other-secret" };
const COUNTING = ["--client-events", "true", "--subscription-count", "true"];

let earshot: Earshot;
let receiver: WebhookReceiver;

beforeEach(async () => {
  earshot = await startEarshot({
    args: twentieth({ "webhooks-timeout-ms": 5_000 }),
    apps: [TEST_APP, OTHER_APP],
  });
  receiver = await startWebhookReceiver();
});

afterEach(async () => {
  await earshot.kill();
  await stopWebhookReceivers();
});

/** An endpoint on which the server acts already. */
async function endpoint(options: EndpointOptions = {}): Promise<string> {
  const id = await addWebhook(earshot, receiver.url, options);
  await earshot.updateApp("--enabled", "true");
  return id;
}

function received(at: WebhookReceiver = receiver): StampedEvent[] {
  return at.received.flatMap((request) => eventsOf(pusherFor(earshot), request));
}

async function told(...expected: readonly string[]): Promise<void> {
  const all = () => received().map(shown).sort();
  try {
    await until("the receiver is told", () => Bun.deepEquals(all(), [...expected].sort()));
  } catch (problem) {
    throw new Error(`${String(problem)}; it was told\n${all().join("\n")}`);
  }
}

describe("an event", () => {
  test("of each of the seven kinds arrives in its exact shape, behind it id, version and time", async () => {
    await endpoint({ events: [...WEBHOOK_NAMES] });
    await earshot.updateApp(...COUNTING);
    const startMs = Date.now();
    const talker = await arrive(earshot, ["presence-room", "private-room", "cache-price"]);
    talker.send({ event: "client-typing", channel: "presence-room", data: { on: true } });
    talker.send({ event: "client-typing", channel: "private-room", data: '{"on":true}' });
    const said = () => logOf(earshot).filter(({ name }) => name === "client_event");
    await until("both are written down", () => said().length === 2);
    talker.close();
    const ended = [
      "channel_vacated cache-price",
      "channel_vacated presence-room",
      "channel_vacated private-room",
    ];
    await until("all have gone", () => ended.every((event) => received().map(shown).includes(event)));
    await until("all is received", () => received().length === logOf(earshot).length);

    const client = { event: "client-typing", data: '{"on":true}', socket_id: talker.socketId };
    const expected = [
      { name: "channel_occupied", channel: "presence-room" },
      { name: "member_added", channel: "presence-room", user_id: "u-7" },
      { name: "channel_occupied", channel: "private-room" },
      { name: "subscription_count", channel: "private-room", subscription_count: 1 },
      { name: "channel_occupied", channel: "cache-price" },
      { name: "subscription_count", channel: "cache-price", subscription_count: 1 },
      { name: "cache_miss", channel: "cache-price" },
      { name: "client_event", channel: "presence-room", ...client, user_id: "u-7" },
      { name: "client_event", channel: "private-room", ...client },
      { name: "subscription_count", channel: "private-room", subscription_count: 0 },
      { name: "subscription_count", channel: "cache-price", subscription_count: 0 },
      { name: "member_removed", channel: "presence-room", user_id: "u-7" },
      { name: "channel_vacated", channel: "presence-room" },
      { name: "channel_vacated", channel: "private-room" },
      { name: "channel_vacated", channel: "cache-price" },
    ];
    const plain = received().map(({ id, version, occurred_ms, ...event }) => {
      expect(id).toBe(`${earshot.app.id}-${version}`);
      expect(occurred_ms).toBeWithin(startMs, Date.now() + 1);
      return event;
    });
    const inOrder = (events: readonly object[]) => events.map((event) => JSON.stringify(event)).sort();
    expect(inOrder(plain)).toEqual(inOrder(expected));
    expect(received().toSorted((a, b) => a.version - b.version)).toEqual(logOf(earshot));
  });

  test("comes in a request that every official library accepts, with its time in whole milliseconds", async () => {
    await endpoint();
    await arrive(earshot, ["news"]);
    await told("channel_occupied news");
    const [request] = receiver.received;
    expect(request).toMatchObject({
      method: "POST",
      path: "/webhooks",
      headers: {
        "content-type": "application/json",
        "x-pusher-key": earshot.app.key,
        "x-earshot-attempt": "1",
      },
    });
    const { headers = {}, body = "{}", arrivedMs = 0 } = request ?? {};
    expect(headers["x-earshot-delivery"]).toMatch(/^\S+$/);
    expect(Number(headers["x-earshot-first-attempt"])).toBeWithin(arrivedMs - 5_000, arrivedMs + 1);
    const { time_ms: timeMs }: { time_ms: unknown } = JSON.parse(body);
    expect(timeMs).toBeInteger();
    expect(Math.abs(Number(timeMs) - arrivedMs)).toBeLessThan(5_000); // python allows 300,000
  });

  test("is told to a user's first device only", async () => {
    await endpoint();
    await arrive(earshot, ["presence-room"]);
    await arrive(earshot, ["presence-room"]);
    await arrive(earshot, ["last"]);
    await told("channel_occupied presence-room", "member_added presence-room u-7", "channel_occupied last");
  });
});

describe("an endpoint", () => {
  test("gets only the kinds and channels that it wants, and nothing else is in its requests", async () => {
    const options = { events: ["channel_occupied"] as const, prefix: "private-", suffix: "-live" };
    await endpoint(options);
    const names = ["private-a-live", "private-a", "a-live", "presence-private-live", "private--live"];
    const client = await arrive(earshot, names);
    await until("all have come", () => logOf(earshot).length === names.length + 1);
    client.close();
    await until("all have gone", () => logOf(earshot).length === 2 * (names.length + 1));
    await told("channel_occupied private-a-live", "channel_occupied private--live");
  });

  test("that is added while the server runs takes effect within a second, told first what is occupied", async () => {
    await arrive(earshot, ["presence-room", "news"]);
    await until("they are announced", () => logOf(earshot).length === 3);
    await addWebhook(earshot, receiver.url);
    const addedMs = Date.now();
    await told("channel_occupied news", "channel_occupied presence-room", "member_added presence-room u-7");
    expect((receiver.received.at(-1)?.arrivedMs ?? Number.POSITIVE_INFINITY) - addedMs).toBeLessThan(1_000);
    expect(received().toSorted((a, b) => a.version - b.version)).toEqual(logOf(earshot));
  });

  test("that is disabled is told nothing, and what it missed when it is enabled again", async () => {
    const id = await endpoint();
    await updateWebhook(earshot, id, { enabled: false });
    await earshot.updateApp("--enabled", "true");
    const other = await startWebhookReceiver();
    await addWebhook(earshot, other.url);
    await earshot.updateApp("--enabled", "true");
    await arrive(earshot, ["news"]);
    await until("the other one is told", () => received(other).length === 1);
    expect(receiver.received).toEqual([]);
    await updateWebhook(earshot, id, { enabled: true });
    await until("this one is told too", () => received().map(shown).includes("channel_occupied news"));
  });

  test("gets its own headers with each request", async () => {
    await endpoint({ headers: { Authorization: "Bearer of-the-shop", "X-Shop": "7" } });
    await arrive(earshot, ["news"]);
    await told("channel_occupied news");
    const headers = { authorization: "Bearer of-the-shop", "x-shop": "7" };
    expect(receiver.received[0]).toMatchObject({ headers });
  });

  test.each([
    [true, [1, 20, 4]],
    [false, Array.from({ length: 25 }, () => 1)],
  ])(
    "whose batch switch is %p gets what happens during a request in so many at a time",
    async (batch, sizes) => {
      await endpoint({ batch, events: ["channel_occupied"] });
      let isFirst = true;
      receiver.treat = () => {
        const how = { does: "answers late", afterMs: isFirst ? 400 : 0 } as const;
        isFirst = false;
        return how;
      };
      const [first = "", ...others] = channelsOfOneLane(25);
      const client = await arrive(earshot, [first]);
      await until("the first request is under way", () => receiver.received.length === 1);
      await Promise.all(others.map((channel) => client.subscribe(channel)));
      await until("all is received", () => received().length === 25);
      expect(receiver.received.map((request) => eventsOf(pusherFor(earshot), request).length)).toEqual(sizes);
      const versions = received().map(({ version }) => version);
      expect(versions).toEqual(versions.toSorted((a, b) => a - b));
    },
  );

  test("of one app is told nothing of another, whatever happens at the same time", async () => {
    await endpoint();
    const otherReceiver = await startWebhookReceiver();
    await addWebhook(earshot, otherReceiver.url, { appId: OTHER_APP.id });
    await earshot.updateApp("--enabled", "true");
    const theirs = { ...earshot, app: OTHER_APP, url: earshot.url, host: earshot.host, port: earshot.port };
    const channels = channelsOfOneLane(10);
    await Promise.all(channels.flatMap((name) => [arrive(earshot, [name]), arrive(theirs, [`${name}-8`])]));
    const read = (requests: readonly ReceivedWebhook[], app: GivenApp) =>
      requests.flatMap((request) => eventsOf(libraryOf(app), request));
    const channelsAt = (at: WebhookReceiver, app: GivenApp) =>
      read(at.received, app)
        .map(({ channel }) => channel)
        .toSorted();
    await until("both are told", () => received().length + otherReceiver.received.length >= 11);
    await until("all is received", () => channelsAt(otherReceiver, OTHER_APP).length === 10);
    await until("all is received", () => channelsAt(receiver, TEST_APP).length === 10);
    expect(channelsAt(receiver, TEST_APP)).toEqual(channels.toSorted());
    expect(channelsAt(otherReceiver, OTHER_APP)).toEqual(channels.map((name) => `${name}-8`).toSorted());
  });
});

describe("a webhook is signed with", () => {
  test("the oldest active key, and with the next one once that is revoked, also for what waits", async () => {
    await endpoint();
    const made: { key: string; secret: string } = newestKey(
      JSON.parse(
        await runProgram(["apps", "rotate-key", earshot.app.id, "--json", "--data", earshot.dataDir]),
      ),
    );
    await earshot.updateApp("--enabled", "true");
    await arrive(earshot, ["news"]);
    await told("channel_occupied news");
    expect(receiver.received[0]?.headers["x-pusher-key"]).toBe(earshot.app.key);

    receiver.treat = () => ({ does: "answers", status: 503 });
    await arrive(earshot, ["sport"]);
    await until("an attempt has failed", () => receiver.received.length > 1);
    expect(receiver.received[1]?.headers["x-pusher-key"]).toBe(earshot.app.key);
    const { key } = earshot.app;
    await runProgram(["apps", "revoke-key", earshot.app.id, key, "--data", earshot.dataDir]);
    const last = () => receiver.received.at(-1);
    await until("it is signed anew", () => last()?.headers["x-pusher-key"] === made.key);
    receiver.treat = () => undefined;
    const attempts = receiver.received.length;
    await until("it is tried again", () => receiver.received.length > attempts);
    const rotated = new Pusher({ appId: earshot.app.id, ...made, host: "127.0.0.1" });
    const [first, request] = [receiver.received[1], last()];
    if (first === undefined || request === undefined) throw new Error("there are no requests");
    expect(eventsOf(rotated, request).map(shown)).toEqual(["channel_occupied sport"]);
    expect(request.body).toBe(first.body);
  });
});

test("publishing to nobody fires nothing, and neither does looking", async () => {
  await endpoint({ events: [...WEBHOOK_NAMES] as [WebhookName, ...WebhookName[]] });
  await publish(earshot, ["news", "cache-price"], "e", "d");
  await arrive(earshot, ["last"]);
  await told("channel_occupied last");
});

function libraryOf(app: GivenApp): Pusher {
  return new Pusher({ appId: app.id, key: app.key, secret: app.secret, host: "127.0.0.1" });
}

function channelsOfOneLane(count: number): string[] {
  const found: string[] = [];
  for (let number = 0; found.length < count; number++) {
    if (laneOf(`news-${number}`) === 0) found.push(`news-${number}`);
  }
  return found;
}

function newestKey(app: unknown): { key: string; secret: string } {
  const { keys } = app as { keys: { key: string; secret?: string }[] }; // as `earshot apps` writes it
  const shownPair = keys.find(({ secret }) => secret !== undefined);
  if (shownPair?.secret === undefined) throw new Error(`no new key is shown: ${JSON.stringify(app)}`);
  return { key: shownPair.key, secret: shownPair.secret };
}
