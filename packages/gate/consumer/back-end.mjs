/** A back-end as somebody writes it who has installed the package. Runs under Node, against the service in EARSHOT_URL. */
import { createServer } from "node:http";
import { createGate, GateError, redisStore } from "@earshot/gate";
import { Redis } from "ioredis";
import Pusher from "pusher";

const { hostname, port } = new URL(process.env.EARSHOT_URL);
const options = { appId: "1", key: "gate-key", secret: "gate-secret", host: hostname, port, useTLS: false };
const pusher = new Pusher(options);

const said = { node: process.versions.node, isBun: "bun" in process.versions };

// By webhooks, with a receiver on node:http and a Redis set if there is a Redis.
const redis = process.env.REDIS_URL ? new Redis(process.env.REDIS_URL) : undefined;
const gate = createGate({ pusher, feed: "webhooks", ...(redis ? { store: redisStore(redis) } : {}) });
const receiver = createServer(gate.nodeReceiver());
await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
await gate.start();
said.absent = await gate.trigger("a", "tick", { seq: 1 });
const arrived = new Promise((resolve) => gate.onOccupied(resolve));
await pusher.post({ path: "/announce", body: { hook: `http://127.0.0.1:${receiver.address().port}/` } });
said.arrived = await arrived;
while (gate.counters.caughtUp === 0) await new Promise((resolve) => setTimeout(resolve, 5));
said.member = await gate.trigger("a", "tick", { seq: 2 });
said.counters = gate.counters;
const tooLong = await fetch(`http://127.0.0.1:${receiver.address().port}/`, {
  method: "POST",
  body: "x".repeat(2 ** 21),
});
said.tooLong = tooLong.status;
said.set = redis ? await redis.smembers("pusher:channels") : undefined;
await gate.close();
receiver.close();
redis?.disconnect();

// By the stream.
const listening = createGate({ pusher, feed: "stream" });
await listening.start();
said.fromStream = [
  await listening.trigger("a", "tick", { seq: 3 }),
  await listening.trigger("b", "tick", { seq: 1 }),
];
await listening.close();

try {
  createGate({ pusher, feed: "carrier pigeon" });
} catch (error) {
  said.refused = error instanceof GateError && error.code;
}
console.log(JSON.stringify(said));
