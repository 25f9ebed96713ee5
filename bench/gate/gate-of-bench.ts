import Pusher from "pusher";
import { createGate, type Gate, memoryStore, redisStore } from "../../packages/gate/src/index.ts";
import type { Target } from "../load/target.ts";
import type { GateParts } from "./order.ts";

/** The official library with its defaults. */
export function pusherFor(target: Target): Pusher {
  const { appId, key, secret, port } = target;
  return new Pusher({ appId, key, secret, host: target.hosts[0], port: String(port), useTLS: false });
}

/** The gate with its defaults. */
export async function startGate(pusher: Pusher, parts: GateParts): Promise<Gate> {
  const gate = createGate(
    parts.store === "memory"
      ? { pusher, feed: "stream", store: memoryStore() }
      : {
          pusher,
          feed: "webhooks",
          endpoint: parts.endpoint,
          store: redisStore(new Bun.RedisClient(parts.redisUrl)),
        },
  );
  await gate.start();
  return gate;
}
