import type { Earshot } from "../support/earshot.ts";
import { dataOf, type Frame } from "../support/frame.ts";
import { connectRaw, type RawClient } from "../support/raw-client.ts";
import type { Heard, Session } from "./judgement.ts";
import { TICK } from "./worker-order.ts";

/** One stay of one watcher in one channel, on a connection of its own. */
export class Watching implements Session {
  readonly watcher: string;
  readonly channel: string;
  readonly sinceMs: number;
  readonly #client: RawClient;
  readonly #heard: Heard[] = [];
  #read = 0;
  #untilMs: number | undefined;

  /** Resolves once it is subscribed. @throws where it cannot connect, or is refused */
  static async begin(earshot: Earshot, watcher: string, channel: string): Promise<Watching> {
    const client = await connectRaw(earshot);
    const answer = await client.subscribe(channel);
    if (answer.event === "pusher:error") throw new Error(answer.raw);
    return new Watching(watcher, channel, client);
  }

  private constructor(watcher: string, channel: string, client: RawClient) {
    this.watcher = watcher;
    this.channel = channel;
    this.#client = client;
    this.sinceMs = Date.now();
  }

  get untilMs(): number | undefined {
    return this.#untilMs;
  }

  get heard(): readonly Heard[] {
    if (this.#untilMs === undefined) this.#readOn();
    return this.#heard;
  }

  /** Resolves when the connection is lost, by whoever. */
  get closed(): Promise<unknown> {
    return this.#client.closed;
  }

  /** What comes from now on is not heard any more. */
  end(how: "unsubscribe" | "close" | "kill"): void {
    this.cutOff();
    if (how === "unsubscribe")
      this.#client.send({ event: "pusher:unsubscribe", data: { channel: this.channel } });
    else this.#client[how]();
  }

  /** It ended from the other side. */
  cutOff(): void {
    if (this.#untilMs !== undefined) return;
    this.#readOn();
    this.#untilMs = Date.now();
  }

  #readOn(): void {
    const { frames } = this.#client;
    for (; this.#read < frames.length; this.#read++) {
      const frame = frames[this.#read];
      if (frame?.event === TICK && frame.channel === this.channel) this.#heard.push(heardIn(frame));
    }
  }
}

function heardIn(frame: Frame): Heard {
  const data = dataOf(frame);
  if (typeof data === "object" && data !== null && "worker" in data && "number" in data)
    return { worker: Number(data.worker), number: Number(data.number) };
  throw new Error(`no tick: ${frame.raw}`);
}
