/** Who does not read is let go, and costs nobody else anything. */
import { afterEach, beforeEach, expect, test as tests } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { signApiRequest } from "@earshot/protocol/signature";
import { callApi } from "../support/api.ts";
import { digest } from "../support/digest.ts";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { connectRaw } from "../support/raw-client.ts";
import { connectTcp } from "../support/tcp-client.ts";
import { until } from "../support/until.ts";

const test = tests.skipIf(process.platform !== "linux"); // another process's memory is read from /proc
const TOKEN = "token";
const SLOW_READERS = 10;
const BATCHES = 600;
const EVENTS_PER_BATCH = 10;
const EVENT_BYTES = 10_000;
const MEGABYTE = 1_048_576;
/** Far below the 600 MB that would wait for ten readers if everything were kept. */
const MAX_GROWTH_BYTES = 40 * MEGABYTE;

/** How HTTP/1.1 ends a body of unknown length. */
const LAST_CHUNK = "\r\n0\r\n\r\n";

let earshot: Earshot;

beforeEach(async () => {
  earshot = await startEarshot({ args: ["--metrics-token", TOKEN] });
});

afterEach(() => earshot.stop());

test("a client that stops reading is closed, memory stays bounded, the others get everything in order", async () => {
  const reader = await connectRaw(earshot);
  await reader.subscribe("flood");
  for (let i = 0; i < SLOW_READERS; i++) {
    const slow = await connectTcp(earshot, { reads: false });
    slow.sendText('{"event":"pusher:subscribe","data":{"channel":"flood"}}');
  }
  await until("all are subscribed", async () => (await metric("earshot_subscriptions")) === SLOW_READERS + 1);
  const growth = await flood();

  await until("the slow ones are gone", async () => (await metric("earshot_connections")) === 1);
  expect(await metric("earshot_subscriptions")).toBe(1);
  await reader.settled();
  const numbers = reader.frames
    .filter(({ event }) => event === "drop")
    .map(({ data }) => Number.parseInt(String(data), 10));
  expect(numbers).toEqual(Array.from({ length: BATCHES * EVENTS_PER_BATCH }, (_, number) => number));
  expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
});

test("an onlooker that stops reading is let go, and memory stays bounded", async () => {
  const onlookers = await Promise.all(Array.from({ length: SLOW_READERS }, openTap));
  expect(await flood()).toBeLessThan(MAX_GROWTH_BYTES);
  for (const socket of onlookers) {
    let tail = "";
    socket.on("data", (bytes) => {
      tail = (tail + String(bytes)).slice(-LAST_CHUNK.length);
    });
    socket.resume();
    await until("its stream has been ended", () => tail === LAST_CHUNK);
    socket.destroy();
  }
});

/** Publishes 60 MB to a channel. Returns by how much the server's memory grew at most meanwhile. */
async function flood(): Promise<number> {
  const before = residentBytes();
  let most = before;
  const padding = "x".repeat(EVENT_BYTES);
  for (let number = 0; number < BATCHES * EVENTS_PER_BATCH; ) {
    const batch = Array.from({ length: EVENTS_PER_BATCH }, () => ({
      name: "drop",
      channel: "flood",
      data: `${number++} ${padding}`,
    }));
    const { status } = await callApi(earshot, "POST", "/batch_events", { body: { batch } });
    if (status !== 200) throw new Error(`status ${status}`);
    most = Math.max(most, residentBytes());
  }
  return most - before;
}

function residentBytes(): number {
  const status = readFileSync(`/proc/${earshot.pid}/status`, "utf8");
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

async function metric(name: string): Promise<number> {
  const answer = await fetch(`${earshot.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
  const line = (await answer.text()).split("\n").find((one) => one.startsWith(`${name}{`));
  return Number(line?.split(" ").at(-1));
}

/** Resolves when the server has answered; reads nothing after that. */
function openTap(): Promise<Socket> {
  const path = `/apps/${earshot.app.id}/tap`;
  const query = signApiRequest(digest, earshot.app, { method: "GET", path }, Math.floor(Date.now() / 1_000));
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect(earshot.port, earshot.host);
  socket.once("error", reject);
  socket.once("data", () => resolve(socket.pause()));
  socket.write(`GET ${path}?${query} HTTP/1.1\r\nHost: ${earshot.host}\r\n\r\n`);
  return promise;
}
