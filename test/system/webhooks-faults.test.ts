/** Receivers that fail, and what becomes of the webhooks for them. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { StampedEvent } from "@earshot/protocol/webhook";
import { laneOf } from "../../packages/server/src/core/lane.ts";
import { pusherFor } from "../support/authorizer.ts";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { announced, arrive, logOf, shown } from "../support/occupancy.ts";
import { twentieth } from "../support/twentieth.ts";
import { until } from "../support/until.ts";
import { addWebhook, eventsOf } from "../support/webhook-endpoint.ts";
import {
  type ReceivedWebhook,
  startWebhookReceiver,
  stopWebhookReceivers,
  type Treatment,
  type WebhookReceiver,
} from "../support/webhook-receiver.ts";

const POISON_MS = 600;
const MEGABYTE = 1_048_576;

let earshot: Earshot;
let receiver: WebhookReceiver;
/** What the application of the receiver has taken, in order. */
let taken: StampedEvent[];

beforeEach(async () => {
  taken = [];
  earshot = await startEarshot({ args: twentieth({ "webhooks-poison-ms": POISON_MS }) });
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

const isTaken = (event: string) => taken.map(shown).includes(event);

async function everythingIsTaken(): Promise<void> {
  const versions = () => new Set(taken.map(({ version }) => version));
  await until("everything is taken", () => logOf(earshot).every(({ version }) => versions().has(version)));
}

function channelInLane(lane: number, name: string): string {
  for (let number = 0; ; number++) if (laneOf(`${name}-${number}`) === lane) return `${name}-${number}`;
}

/** For each channel in order of version, repeats aside. */
function expectOrder(): void {
  for (const events of Map.groupBy(taken, ({ channel }) => channel).values()) {
    const firsts = [...new Set(events.map(({ version }) => version))];
    expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
  }
}

describe("a receiver that", () => {
  test("was away finds everything, in order", async () => {
    await receiver.goDown();
    const staying = await arrive(earshot, ["presence-room"]);
    for (const name of ["news", "sport", "news"]) {
      const client = await arrive(earshot, [name]);
      await until("it is announced", () => logOf(earshot).at(-1)?.name === "channel_occupied");
      client.close();
      await until("it is announced", () => logOf(earshot).at(-1)?.name === "channel_vacated");
    }
    expect(taken).toEqual([]);
    await receiver.comeUp();
    await everythingIsTaken();
    expectOrder();
    staying.close();
  });

  test("is slow slows neither a subscribe nor the channels of other lanes", async () => {
    const [slow, quick] = [channelInLane(1, "slow"), channelInLane(2, "quick")];
    receiver.treat = ({ body }) =>
      body.includes(slow) ? { does: "answers late", afterMs: 30_000 } : undefined;
    const client = await arrive(earshot, [slow]);
    await until("the slow request is under way", () => receiver.received.length === 1);
    const startMs = performance.now();
    await client.subscribe(quick);
    expect(performance.now() - startMs).toBeLessThan(400);
    await until("the other lane's is taken", () => isTaken(`channel_occupied ${quick}`));
    receiver.treat = () => undefined;
    const ofSlow = () => receiver.received.filter(({ body }) => body.includes(slow));
    await until("the slow one is tried again", () => ofSlow().length > 1);
    const [first, second] = ofSlow();
    expect(second?.headers["x-earshot-delivery"]).toBe(first?.headers["x-earshot-delivery"]);
    expect(second?.headers["x-earshot-attempt"]).toBe("2");
    expect(second?.headers["x-earshot-first-attempt"]).toBe(first?.headers["x-earshot-first-attempt"]);
    expect(second?.body).toBe(first?.body);
  });

  const refusals: [string, Treatment][] = [
    ["answers 500", { does: "answers", status: 500 }],
    ["answers 404", { does: "answers", status: 404 }],
    ["answers 429", { does: "answers", status: 429 }],
    ["redirects", { does: "answers", status: 307, headers: { Location: "/elsewhere" } }],
    ["hangs up", { does: "hangs up" }],
    ["loses its answer", { does: "loses the answer" }],
  ];
  test.each(refusals)("%s is asked again, at its own address, until it answers 2xx", async (_, how) => {
    let times = 0;
    receiver.treat = () => (times++ < 3 ? how : { does: "answers", status: 204 });
    await arrive(earshot, ["news"]);
    await until("it is asked a fourth time", () => receiver.received.length === 4);
    await everythingIsTaken();
    expect(new Set(receiver.received.map(({ path }) => path))).toEqual(new Set(["/webhooks"]));
    await arrive(earshot, ["last"]);
    await until("the next one is taken", () => isTaken("channel_occupied last"));
    expect(receiver.received).toHaveLength(5);
  });

  test("breaks its answer off after the 200 has had the webhook", async () => {
    receiver.treat = () => ({ does: "breaks off the answer" });
    await arrive(earshot, ["news"]);
    await until("it is taken", () => taken.length === 1);
    await arrive(earshot, ["last"]);
    await until("the next one is taken", () => isTaken("channel_occupied last"));
    expect(receiver.received).toHaveLength(2);
  });

  test("answers with 100 MB costs no memory, and has had the webhook", async () => {
    await arrive(earshot, ["first"]);
    await until("it is taken", () => taken.length === 1);
    const before = residentBytes(earshot);
    receiver.treat = () => ({ does: "answers at length", bytes: 100 * MEGABYTE });
    for (let number = 0; number < 5; number++) {
      await arrive(earshot, [`news-${number}`]);
      await until("it is taken", () => isTaken(`channel_occupied news-${number}`));
    }
    receiver.treat = () => undefined;
    await arrive(earshot, ["last"]);
    await until("the next one is taken", () => isTaken("channel_occupied last"));
    expect(receiver.received).toHaveLength(7);
    expect(residentBytes(earshot) - before).toBeLessThan(50 * MEGABYTE);
  });

  test("refuses one event for good gets all others, and at last that channel's present state", async () => {
    const lane = laneOf("bad");
    const [before, behind] = [channelInLane(lane, "before"), channelInLane(lane, "behind")];
    const isBad = ({ body }: ReceivedWebhook) => body.includes('"bad"');
    receiver.treat = (request) => (isBad(request) ? { does: "answers", status: 422 } : undefined);
    await arrive(earshot, [before]);
    await until("the one before is taken", () => isTaken(`channel_occupied ${before}`));
    await arrive(earshot, ["bad"]);
    await until("it is refused", () => receiver.received.some(isBad));
    receiver.treat = (request) => (isBad(request) ? { does: "answers", status: 422 } : undefined);
    await arrive(earshot, [behind]);
    await until("the one behind is taken", () => isTaken(`channel_occupied ${behind}`));
    receiver.treat = () => undefined;
    await arrive(earshot, [channelInLane(lane, "after")]);
    await until("the refused channel's state is taken", () => isTaken("channel_occupied bad"));
  });
});

test("what waits when the server is killed arrives after its restart", async () => {
  receiver.treat = () => ({ does: "answers", status: 500 });
  await arrive(earshot, ["presence-room"]);
  await announced(earshot, "channel_occupied presence-room", "member_added presence-room u-7");
  await earshot.kill();
  receiver.treat = () => undefined;
  await earshot.restart();
  await until("all have gone", () => logOf(earshot).length === 4);
  await everythingIsTaken();
  expectOrder();
});

function residentBytes({ pid }: Earshot): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1_024;
}
