import { SeededChance } from "../../packages/server/src/core/testing/seeded-chance.ts";
import type { Return, Step, Truth } from "./step.ts";
import { CHANNELS, CLIENTS, ENDPOINTS, STREAM_PREFIXES, TIMES, type Weather, weatherOf } from "./world.ts";

/** How many subscriptions there are, about; another one each so many steps. */
const CROWDS: readonly [number, ...number[]] = [1, 4, 8, 20];
const STEPS_A_CROWD = 150;

export interface Schedule {
  readonly steps: readonly Step[];
  /** Who is where at each rest, in order; the last step is one. */
  readonly truths: readonly Truth[];
}

/** The same steps for the same seed, whatever happens when they are played. */
export function scheduleOf(seed: number, length: number): Schedule {
  return new Author(seed, length).write();
}

class Author {
  readonly #chance: SeededChance;
  readonly #weather: Weather;
  readonly #length: number;
  readonly #steps: Step[] = [];
  readonly #truths: Truth[] = [];
  /** What the clients will have done; undefined for one that is not connected. */
  readonly #subscribed: (Set<string> | undefined)[] = Array.from({ length: CLIENTS }, () => undefined);
  #crowd = 0;

  constructor(seed: number, length: number) {
    this.#chance = new SeededChance(seed);
    this.#weather = weatherOf(seed);
    this.#length = length;
  }

  write(): Schedule {
    const later = ENDPOINTS.findIndex(({ isFirst }) => !isFirst);
    const addAt = Math.floor(this.#length * (0.2 + this.#chance.fraction() / 2));
    const pauseAt = Math.floor(this.#length * (0.1 + this.#chance.fraction() / 2));
    let isAdded = false;
    let isPaused = false;
    const rests = [Math.floor(this.#length / 3), Math.floor((this.#length * 2) / 3)];
    for (let crowdAt = 0; this.#steps.length < this.#length; ) {
      if (this.#steps.length >= crowdAt) {
        this.#crowd = this.#chance.pick(CROWDS);
        crowdAt += STEPS_A_CROWD;
      }
      if (!isAdded && this.#steps.length >= addAt) {
        isAdded = true;
        this.#steps.push({ do: "add endpoint", endpoint: later });
      }
      if (!isPaused && this.#steps.length >= pauseAt) {
        isPaused = true;
        this.#steps.push({ do: "pause endpoint", endpoint: 0, ms: this.#chance.integer(400) });
      }
      const restAt = rests[0];
      if (restAt !== undefined && this.#steps.length >= restAt) {
        rests.shift();
        this.#rest();
      }
      this.#next();
      this.#pace();
    }
    this.#rest();
    return { steps: this.#steps, truths: this.#truths };
  }

  #next(): void {
    const roll = this.#chance.integer(1_000);
    if (roll < 5) this.#restart();
    else if (roll < 17) this.#fault();
    else if (roll < 22) this.#breakStream();
    else if (roll < 60) this.#say();
    else if (roll < 80) this.#reload();
    else if (this.#comes()) this.#come();
    else this.#go();
  }

  #pace(): void {
    const roll = this.#chance.integer(100);
    if (roll < 1) this.#wait(TIMES.vacatedDelay - 60 + this.#chance.integer(120));
    else if (roll < 30) this.#wait(1 + this.#chance.integer(8));
  }

  #wait(ms: number): void {
    this.#steps.push({ do: "wait", ms });
  }

  /** Draws the number of subscriptions towards the size of the crowd. */
  #comes(): boolean {
    const there = this.#subscribed.reduce((sum, channels) => sum + (channels?.size ?? 0), 0);
    return this.#chance.integer(100) < (there < this.#crowd ? 65 : 35);
  }

  #come(): void {
    const client = this.#chance.integer(CLIENTS);
    const channels = this.#connected(client);
    const channel = this.#chance.pick(CHANNELS);
    if (!channels.has(channel)) this.#subscribe(client, channel);
  }

  #go(): void {
    const client = this.#one((channels) => channels.size > 0);
    const roll = this.#chance.integer(10);
    if (client === undefined) this.#come();
    else if (roll < 2) this.#disconnect(client);
    else this.#end(client, roll < 4);
  }

  #end(client: number, isBackAtOnce: boolean): void {
    const channel = this.#channelOf(client);
    this.#steps.push({ do: "unsubscribe", client, channel });
    this.#subscribed[client]?.delete(channel);
    if (isBackAtOnce) this.#subscribe(client, channel);
  }

  /** A page that is loaded again: another connection with the same subscriptions. */
  #reload(): void {
    const client = this.#one((channels) => channels.size > 0);
    if (client === undefined) return;
    const channels = [...(this.#subscribed[client] ?? [])];
    this.#disconnect(client);
    this.#connect(client, this.#chance.integer(200));
    for (const channel of channels) this.#subscribe(client, channel);
  }

  #say(): void {
    const mayTalk = (channel: string) => /^(private|presence)-(?!encrypted-)/.test(channel);
    const client = this.#one((channels) => [...channels].some(mayTalk));
    const channel = [...(this.#subscribed[client ?? -1] ?? [])].find(mayTalk);
    if (client !== undefined && channel !== undefined) this.#steps.push({ do: "say", client, channel });
  }

  #fault(): void {
    const endpoint = this.#chance.integer(ENDPOINTS.length);
    const { faults, maxFaultMs } = this.#weather;
    const fault = this.#chance.pick(faults);
    this.#steps.push({ do: "fault", endpoint, fault, ms: 50 + this.#chance.integer(maxFaultMs) });
  }

  #breakStream(): void {
    this.#steps.push({ do: "break stream", stream: this.#chance.integer(STREAM_PREFIXES.length) });
  }

  #restart(): void {
    const returnPercent = this.#chance.pick([100, 100, 70, 30, 0]);
    const returns: Return[] = [];
    for (const [client, channels] of this.#subscribed.entries()) {
      this.#subscribed[client] = undefined;
      if (channels === undefined || this.#chance.integer(100) >= returnPercent) continue;
      const keepsAll = returnPercent === 100 || this.#chance.integer(3) > 0;
      const kept = [...channels].filter(() => keepsAll || this.#chance.integer(2) === 0);
      const isSoon = returnPercent === 100 || this.#chance.integer(4) > 0;
      const afterMs = isSoon ? this.#chance.integer(TIMES.settle / 2) : this.#chance.integer(1_200);
      returns.push({ client, afterMs, channels: kept });
      this.#subscribed[client] = new Set(kept);
    }
    const how = this.#chance.integer(5) < 3 ? "kill" : "stop";
    this.#steps.push({ do: "restart", how, downMs: this.#chance.integer(100), returns });
  }

  #rest(): void {
    this.#steps.push({ do: "rest" });
    this.#truths.push({
      subscribed: this.#subscribed.map((channels) =>
        channels === undefined ? undefined : new Set(channels),
      ),
    });
  }

  #connected(client: number): Set<string> {
    return this.#subscribed[client] ?? this.#connect(client, 0);
  }

  #connect(client: number, afterMs: number): Set<string> {
    const channels = new Set<string>();
    this.#subscribed[client] = channels;
    this.#steps.push({ do: "connect", client, afterMs });
    return channels;
  }

  #disconnect(client: number): void {
    this.#subscribed[client] = undefined;
    this.#steps.push({ do: "disconnect", client, how: this.#chance.pick(["close", "kill"]) });
  }

  #subscribe(client: number, channel: string): void {
    this.#subscribed[client]?.add(channel);
    this.#steps.push({ do: "subscribe", client, channel });
  }

  #channelOf(client: number): string {
    const channels = [...(this.#subscribed[client] ?? [])];
    return channels[this.#chance.integer(channels.length)] ?? "";
  }

  /** One of the connected clients of which this is so. */
  #one(isSo: (channels: ReadonlySet<string>) => boolean): number | undefined {
    const those = [...this.#subscribed.keys()].filter((client) => {
      const channels = this.#subscribed[client];
      return channels !== undefined && isSo(channels);
    });
    return those[this.#chance.integer(those.length)];
  }
}
