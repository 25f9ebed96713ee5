/** Carries webhooks from the server to the gate's receiver, and does it badly where a test wants it. */
import { SeededChance } from "../../packages/server/src/core/testing/seeded-chance.ts";

export type Receive = (request: Request) => Promise<Response>;

/**
 * - `carries`: hands each request over, and the answer back.
 * - `refuses`: answers 500, and hands nothing over.
 * - `is late`: hands over what the server has given up waiting for.
 * - `doubles and swaps`: answers 200 at once, and hands over later, once or more often, in any order.
 */
export type Manner = "carries" | "refuses" | "is late" | "doubles and swaps";

export interface CarrierOptions {
  readonly receive: Receive;
  readonly seed?: number;
  /** How long what is late stays away. */
  readonly lateMs?: number;
  /** The longest time for which what was answered with 200 is not handed over. */
  readonly swapMs?: number;
}

const AGAIN_MS = 20;
const MAX_COPIES = 3;

export class Carrier {
  manner: Manner = "carries";
  receive: Receive;
  /** Requests that the server has sent. */
  requests = 0;
  readonly #options: Required<CarrierOptions>;
  readonly #chance: SeededChance;
  readonly #journeys = new Set<Promise<void>>();
  #server: Bun.Server<undefined> | undefined;
  #port = 0;
  #barrier: Promise<void> | undefined;
  #isOver = false;

  constructor(options: CarrierOptions) {
    this.#options = { seed: 1, lateMs: 700, swapMs: 300, ...options };
    this.receive = options.receive;
    this.#chance = new SeededChance(this.#options.seed);
    this.comeUp();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/webhooks`;
  }

  /** Nobody listens any more. */
  async goDown(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.stop(true);
  }

  comeUp(): void {
    this.#server ??= Bun.serve({
      hostname: "127.0.0.1",
      port: this.#port,
      fetch: (request) => this.#carry(request),
    });
    this.#port = this.#server.port ?? 0;
  }

  /** What comes from now on stands still until the returned function is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#barrier = promise;
    return () => {
      if (this.#barrier === promise) this.#barrier = undefined;
      resolve();
    };
  }

  /** Everything that was answered with 200 has been handed over. */
  async arrived(): Promise<void> {
    await Promise.all(this.#journeys);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all([this.goDown(), this.arrived()]);
  }

  async #carry(request: Request): Promise<Response> {
    this.requests++;
    const { manner } = this;
    const letter = new Letter(request, new Uint8Array(await request.arrayBuffer()));
    await this.#barrier;
    switch (manner) {
      case "carries":
        return await this.receive(letter.copy());
      case "refuses":
        return new Response("not now", { status: 500 });
      case "is late":
        await Bun.sleep(this.#options.lateMs);
        return await this.receive(letter.copy());
      case "doubles and swaps": {
        const copies = 1 + this.#chance.integer(MAX_COPIES);
        for (let copy = 0; copy < copies; copy++)
          this.#send(letter, this.#chance.integer(this.#options.swapMs));
        return new Response();
      }
    }
  }

  /** The server believes that it has arrived: so it must. */
  #send(letter: Letter, afterMs: number): void {
    const journey = (async () => {
      await Bun.sleep(afterMs);
      while (!this.#isOver && !(await this.receive(letter.copy())).ok) await Bun.sleep(AGAIN_MS);
    })();
    this.#journeys.add(journey);
    void journey.finally(() => this.#journeys.delete(journey));
  }
}

/** A request that can be handed over more than once. */
class Letter {
  readonly #request: Request;
  readonly #body: Uint8Array<ArrayBuffer>;

  constructor(request: Request, body: Uint8Array<ArrayBuffer>) {
    this.#request = request;
    this.#body = body;
  }

  copy(): Request {
    const { url, method, headers } = this.#request;
    return new Request(url, { method, headers, body: this.#body });
  }
}
