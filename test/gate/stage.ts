/** A server, and gates before it, in a test that says itself what happens. */
import {
  createGate,
  type Gate,
  type GateError,
  type GateOptions,
  redisStore,
} from "../../packages/gate/src/index.ts";
import { pusherFor } from "../support/authorizer.ts";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import type { RedisServer } from "../support/redis.ts";
import { addWebhook } from "../support/webhook-endpoint.ts";
import { Carrier, type CarrierOptions } from "./carrier.ts";
import type { WorkerPlan } from "./worker-order.ts";

export const SET = "pusher:channels";
const METRICS_TOKEN = "a-long-random-text";

export class Stage {
  readonly earshot: Earshot;
  /** As a worker in any language has it. */
  readonly redis: Bun.RedisClient;
  readonly carrier: Carrier;
  /** What gates have complained of. */
  readonly complaints: GateError[] = [];
  /** The id of the endpoint. */
  readonly endpoint: string;
  readonly #redisUrl: string;
  readonly #undo: (() => unknown)[] = [];

  /** With an endpoint of webhooks that leads to `receiving`, and an empty Redis. */
  static async start(
    redis: RedisServer,
    flags: readonly string[],
    carrierOptions: Omit<CarrierOptions, "receive"> = {},
  ): Promise<Stage> {
    const earshot = await startEarshot({ args: [...flags, "--metrics-token", METRICS_TOKEN] });
    const carrier = new Carrier({
      ...carrierOptions,
      receive: async () => new Response("nobody receives", { status: 503 }),
    });
    const endpoint = await addWebhook(earshot, carrier.url, {
      events: ["channel_occupied", "channel_vacated"],
    });
    await earshot.updateApp("--enabled", "true"); // and the endpoint is taken up too
    const client = new Bun.RedisClient(redis.url);
    await client.send("FLUSHALL", []);
    return new Stage(earshot, carrier, endpoint, client, redis.url);
  }

  private constructor(
    earshot: Earshot,
    carrier: Carrier,
    endpoint: string,
    redis: Bun.RedisClient,
    redisUrl: string,
  ) {
    this.earshot = earshot;
    this.carrier = carrier;
    this.redis = redis;
    this.endpoint = endpoint;
    this.#redisUrl = redisUrl;
  }

  /** A gate with the Redis set, as in a process of its own. Resolves when it has started. */
  async gate(options: Partial<GateOptions> = {}): Promise<Gate> {
    const client = new Bun.RedisClient(this.#redisUrl);
    const gate = createGate({
      pusher: pusherFor(this.earshot),
      feed: "webhooks",
      endpoint: this.endpoint,
      store: redisStore(client),
      onError: (error) => this.complaints.push(error),
      ...options,
    });
    this.#undo.push(
      () => gate.close(),
      () => client.close(),
    );
    await gate.start();
    return gate;
  }

  /** A gate that the webhooks reach. */
  async receivingGate(options: Partial<GateOptions> = {}): Promise<Gate> {
    const gate = await this.gate(options);
    this.carrier.receive = gate.receiver();
    return gate;
  }

  /** For workers in processes of their own. */
  get feed(): WorkerPlan["feed"] {
    return { from: "webhooks", endpoint: this.endpoint, redisUrl: this.#redisUrl };
  }

  async watched(): Promise<string[]> {
    return (await this.redis.smembers(SET)).sort();
  }

  /** One value of the server's metrics, by its name and labels as they are written. */
  async metric(name: string): Promise<number | undefined> {
    const headers = { authorization: `Bearer ${METRICS_TOKEN}` };
    const text = await (await fetch(`${this.earshot.url}/metrics`, { headers })).text();
    const line = text.split("\n").find((each) => each.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length));
  }

  async stop(): Promise<void> {
    for (const undo of this.#undo) await undo();
    await this.carrier.stop();
    this.redis.close();
    await this.earshot.kill();
  }
}
