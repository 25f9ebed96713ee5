import Pusher from "pusher";
import { createGate, type Gate, redisStore } from "../../packages/gate/src/index.ts";
import type { Target } from "../load/target.ts";
import type { GateParts } from "./order.ts";

/** The official library with its defaults. */
export function pusherFor(target: Target): Pusher {
  const { appId, key, secret, port } = target;
  return new Pusher({ appId, key, secret, host: target.hosts[0], port: String(port), useTLS: false });
}

/** The gate with its defaults, over a Redis set. */
export async function startGate(pusher: Pusher, { redisUrl, endpoint }: GateParts): Promise<Gate> {
  const store = redisStore(new Bun.RedisClient(redisUrl));
  const gate = createGate({ pusher, feed: "webhooks", endpoint, store });
  await gate.start();
  return gate;
}
