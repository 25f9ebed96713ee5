import { afterEach, expect, test } from "bun:test";
import { WebhookReceiver } from "./webhook-receiver.ts";

const receivers: WebhookReceiver[] = [];
afterEach(async () => {
  for (const receiver of receivers.splice(0)) await receiver.stop();
});

function start(): WebhookReceiver {
  const receiver = new WebhookReceiver("127.0.0.1", 0);
  receivers.push(receiver);
  return receiver;
}

async function send(receiver: WebhookReceiver, path: string, ...events: object[]): Promise<number> {
  const body = JSON.stringify({ time_ms: 1, events });
  const headers = { "Content-Type": "application/json" };
  return (await fetch(`${receiver.url}${path}`, { method: "POST", headers, body })).status;
}

const occupied = (channel: string) => ({ name: "channel_occupied", channel });
const added = (channel: string, user_id: unknown) => ({ name: "member_added", channel, user_id });

test("a request is kept as it came: method, path with query, headers and bytes", async () => {
  const receiver = start();
  expect(await send(receiver, "/hooks?prefix=a", occupied("a-1"))).toBe(200);
  const [only] = receiver.deliveries;
  expect(only).toMatchObject({ method: "POST", path: "/hooks?prefix=a", status: 200, timeMs: 1 });
  expect(only?.headers.get("content-type")).toBe("application/json");
  expect(Buffer.from(only?.body ?? []).toString()).toBe(
    '{"time_ms":1,"events":[{"name":"channel_occupied","channel":"a-1"}]}',
  );
});

test("what is told of a channel counts where it was accepted, at endpoints without a filter", async () => {
  const receiver = start();
  receiver.refuse("a", 2);
  expect(await send(receiver, "/?events=channel_occupied", occupied("a"))).toBe(200);
  expect(await send(receiver, "/", occupied("b"))).toBe(200);
  expect(await send(receiver, "/", occupied("b"), occupied("a"))).toBe(500);
  expect(await send(receiver, "/", occupied("a"))).toBe(500);
  expect(receiver.about("a")).toEqual([]);
  expect(await send(receiver, "/", occupied("a"), added("a", 7))).toBe(200);
  expect(receiver.about("a").map(({ event }) => event)).toEqual([occupied("a"), added("a", 7)]);
  expect(receiver.deliveries).toHaveLength(5);
});

test("an event that is waited for is that of a name, a user and a position, whether it came before or comes later", async () => {
  const receiver = start();
  await send(receiver, "/", added("room", "ann"));
  const late = receiver.told("room", "member_added", { at: 1 });
  const bo = receiver.told("room", "member_added", { userId: "7" });
  expect((await receiver.told("room", "member_added")).event).toEqual(added("room", "ann"));
  await send(receiver, "/", occupied("room"), added("room", 7));
  expect((await late).event).toEqual(added("room", 7));
  expect((await bo).event).toEqual(added("room", 7));
});

test("an event that does not come is told with what came last", async () => {
  const receiver = start();
  const wait = () => receiver.told("room", "member_added", { userId: "ann", timeoutMs: 10 });
  await expect(wait()).rejects.toThrow(
    "the webhook member_added for ann of room did not come within 0.01 s; nothing came at all",
  );
  await send(receiver, "/", occupied("room"));
  await expect(wait()).rejects.toThrow(
    'last came {"time_ms":1,"events":[{"name":"channel_occupied","channel":"room"}]}',
  );
});
