/** The set of occupied channels, as any program may see it. */
export class OccupiedSet {
  readonly #client: Bun.RedisClient;
  readonly #key: string;

  constructor(redisUrl: string, key: string) {
    this.#client = new Bun.RedisClient(redisUrl);
    this.#key = key;
  }

  async members(): Promise<string[]> {
    return await this.#client.smembers(this.#key);
  }

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }

  async delete(): Promise<void> {
    await this.#client.del(this.#key);
  }
}
