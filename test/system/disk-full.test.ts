/** A disk without room: what is held, what goes on, and what is told when there is room again. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import type { StampedEvent } from "@earshot/protocol/webhook";
import { callApi } from "../support/api.ts";
import { pusherFor } from "../support/authorizer.ts";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import {
  announced,
  announcements,
  arrive,
  everythingIsAnnounced,
  logOf,
  shown,
} from "../support/occupancy.ts";
import { canTakeRoom, giveRoom, takeRoom } from "../support/room.ts";
import { twentieth } from "../support/twentieth.ts";
import { until } from "../support/until.ts";
import { addWebhook, eventsOf } from "../support/webhook-endpoint.ts";
import {
  startWebhookReceiver,
  stopWebhookReceivers,
  type WebhookReceiver,
} from "../support/webhook-receiver.ts";

const KILOBYTE = 1_024;
const COMINGS = ["channel_occupied news", "channel_occupied presence-room", "member_added presence-room u-7"];

let earshot: Earshot;
let receiver: WebhookReceiver;
let taken: StampedEvent[];

beforeEach(async () => {
  taken = [];
  earshot = await startEarshot({ args: twentieth() });
  receiver = await startWebhookReceiver({
    take: (request) => {
      taken.push(...eventsOf(pusherFor(earshot), request));
    },
  });
  await addWebhook(earshot, receiver.url);
  await earshot.updateApp("--enabled", "true");
});

afterEach(async () => {
  await earshot.kill();
  await stopWebhookReceivers();
});

async function ready(): Promise<{ status: number; text: string }> {
  const response = await fetch(`${earshot.url}/readyz`);
  return { status: response.status, text: await response.text() };
}

const position = () => callApi(earshot, "POST", "/occupancy/position", { body: "{}" });

const isReady = async () => (await ready()).status === 200;

function sizeOf(file: string): number {
  return statSync(join(earshot.dataDir, file)).size;
}

async function everythingIsTaken(): Promise<void> {
  await until("everything is taken", () => {
    const versions = new Set(taken.map(({ version }) => version));
    return logOf(earshot).every(({ version }) => versions.has(version));
  });
}

describe.skipIf(!canTakeRoom)("while no file can be written", () => {
  test("subscribes go on, readiness says why, and with room again everything that differs is told", async () => {
    const early = await arrive(earshot, ["early"]);
    await announced(earshot, "channel_occupied early");
    takeRoom(earshot.pid);
    await arrive(earshot, ["news", "presence-room"]);
    await until("the server says that it is not ready", async () => !(await isReady()));
    expect((await ready()).text).toMatch(/the outbox cannot be written \(.+\)/);
    await until("gates are told that nobody knows", async () => (await position()).status === 503);
    const passing = await arrive(earshot, ["passing"]);
    passing.close();
    early.close();
    expect((await callApi(earshot, "GET", "/channels")).status).toBe(200);
    expect(announcements(earshot)).toEqual(["channel_occupied early"]);

    giveRoom(earshot.pid);
    await until("the server is ready", isReady);
    await everythingIsAnnounced(earshot);
    await everythingIsTaken();
    expect((await position()).status).toBe(200);
    expect(announcements(earshot)).toEqual(["channel_occupied early", ...COMINGS, "channel_vacated early"]);
    expect(taken.map(shown)).toEqual(expect.arrayContaining([...COMINGS, "channel_vacated early"]));
  });

  test("a stop ends as ever, and the next process tells what differs", async () => {
    const early = await arrive(earshot, ["early"]);
    await announced(earshot, "channel_occupied early");
    takeRoom(earshot.pid);
    await arrive(earshot, ["news"]);
    early.close();
    await until("the server says that it is not ready", async () => !(await isReady()));
    expect(await earshot.stop()).toBe(0);
    await earshot.restart();
    await arrive(earshot, ["news"]);
    await announced(earshot, "channel_occupied early", "channel_occupied news", "channel_vacated early");
  });
});

test.skipIf(!canTakeRoom)(
  "while only deliveries cannot be written down webhooks go on, and none is lost",
  async () => {
    receiver.treat = () => ({ does: "answers", status: 500 });
    for (let number = 0; number < 20; number++) await arrive(earshot, [`room-${number}`]);
    const wanted = () => sizeOf("outbox.db-wal") + 300 * KILOBYTE;
    await until("the deliveries are the larger file", () => sizeOf("deliveries.db-wal") > wanted());
    takeRoom(earshot.pid, sizeOf("deliveries.db-wal"));
    await until("it is noticed", () => earshot.output().includes("the deliveries cannot be written down"));
    receiver.treat = () => undefined;
    await arrive(earshot, ["news"]);
    await everythingIsTaken();
    expect(logOf(earshot)).toHaveLength(21);
    expect(await isReady()).toBe(true);

    giveRoom(earshot.pid);
    await until("they are", () => earshot.output().includes("the deliveries are written down again"));
    const requests = receiver.received.length;
    await earshot.stop();
    await earshot.restart();
    await arrive(earshot, ["last"]);
    await until("what comes is taken", () => taken.map(shown).includes("channel_occupied last"));
    expect(receiver.received.length).toBeGreaterThan(requests);
    expect(taken.filter(({ channel }) => channel === "news").map(shown)).toEqual(["channel_occupied news"]);
  },
);
