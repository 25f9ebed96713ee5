import type { StampedEvent } from "@earshot/protocol/webhook";
import { RedisServer, redisProgram } from "../support/redis.ts";
import { stateOf, type View } from "./view.ts";

/** The set of the story: `SADD` for what came, `SREM` for what is gone, and nobody looks at versions. */
export class RedisSet {
  readonly #client: Bun.RedisClient;
  readonly #key: string;

  constructor(client: Bun.RedisClient, key: string) {
    this.#client = client;
    this.#key = key;
  }

  /** Commands of one client are carried out in the order of the calls. */
  async apply(events: readonly StampedEvent[]): Promise<void> {
    const answers: Promise<unknown>[] = [];
    for (const event of events) {
      const state = stateOf(event);
      if (state?.isPresent === true) answers.push(this.#client.sadd(this.#key, state.subject));
      else if (state !== undefined) answers.push(this.#client.srem(this.#key, state.subject));
    }
    await Promise.all(answers);
  }

  async view(): Promise<View> {
    return new Set(await this.#client.smembers(this.#key));
  }
}

/** A real Redis, which holds a set for each episode. */
export class RedisSets {
  readonly #server: RedisServer;
  readonly #client: Bun.RedisClient;
  #sets = 0;

  /** Undefined where Redis is not installed. */
  static async start(): Promise<RedisSets | undefined> {
    return redisProgram === undefined ? undefined : new RedisSets(await RedisServer.start(redisProgram));
  }

  private constructor(server: RedisServer) {
    this.#server = server;
    this.#client = new Bun.RedisClient(server.url);
  }

  /** An empty one. */
  next(): RedisSet {
    this.#sets++;
    return new RedisSet(this.#client, `pusher:channels:${this.#sets}`);
  }

  async stop(): Promise<void> {
    this.#client.close();
    await this.#server.stop();
  }
}
