/** What the types must allow, and what not. Compiled as a module and as CommonJS, without the repository's settings. */
import { type Change, createGate, GateError, memoryStore, redisStore } from "@earshot/gate";
import { Redis } from "ioredis";

import Pusher = require("pusher");

import { createClient } from "redis";

import http = require("node:http");

const pusher = new Pusher({ appId: "1", key: "k", secret: "s", host: "127.0.0.1", port: "6001" });
const gate = createGate({
  pusher,
  feed: "webhooks",
  endpoint: process.env["ENDPOINT"],
  store: memoryStore(),
});
export const others = [
  createGate({
    pusher,
    feed: "stream",
    store: redisStore(new Redis()),
    onError: (error) => error.code === "queue_full",
  }),
  createGate({ pusher, feed: "stream", store: redisStore(createClient(), { key: "shop:channels" }) }),
];
// @ts-expect-error a feed that there is not
createGate({ pusher, feed: "pigeons" });
// @ts-expect-error the feed is missing
createGate({ pusher });

http.createServer(
  gate.nodeReceiver({ onEvents: (events) => events.map(({ name, channel }) => name + channel) }),
);
export const receive: (request: Request) => Promise<Response> = gate.receiver();
gate.onOccupied(async (channel: string, change: Change) => {
  await pusher.trigger(channel, "state", { version: change.version });
});
export async function publish(): Promise<boolean> {
  try {
    return await gate.trigger(["a", "b"], "tick", { seq: 1 }, { socket_id: "1.2" });
  } catch (error) {
    if (error instanceof GateError) return error.code === "message_invalid";
    throw error;
  }
}
export const saved: number = gate.counters.saved;
