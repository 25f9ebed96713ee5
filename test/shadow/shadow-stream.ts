import type { StampedEvent } from "@earshot/protocol/webhook";
import { signedUrl } from "../support/api.ts";
import type { Earshot } from "../support/earshot.ts";
import { readEventStream, type StreamEvent } from "../support/event-stream.ts";
import { Finding } from "./finding.ts";
import type { Trace } from "./trace.ts";
import type { View } from "./view.ts";

const RETRY_MS = 20;

interface ChannelState {
  readonly channel: string;
  readonly version: number;
  readonly count: number;
  readonly occurred_ms: number;
}

export interface StreamParts {
  readonly earshot: Earshot;
  readonly prefix: string;
  readonly trace: Trace;
  readonly wrong: (problem: string, channel?: string) => void;
}

/** A reader of the occupancy stream, which resumes where it was after each break. */
export class ShadowStream {
  readonly prefix: string;
  readonly #parts: StreamParts;
  /** Occupied channels. */
  #known = new Map<string, ChannelState>();
  #pages: ChannelState[] = [];
  #lastId: number | undefined;
  /** Each change that came, by version. */
  readonly #changes = new Map<number, StreamEvent>();
  /** What snapshots stood for: everything above the first number, up to the second. */
  readonly #snapshots: [after: number, cut: number][] = [];
  #connection = new AbortController();
  #isStopped = false;
  readonly #reading: Promise<void>;

  constructor(parts: StreamParts) {
    this.prefix = parts.prefix;
    this.#parts = parts;
    this.#reading = this.#readOn();
  }

  get present(): View {
    return new Set(this.#known.keys());
  }

  breakOff(): void {
    this.#connection.abort();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.breakOff();
    await this.#reading;
  }

  /** Each change of the log came as it is there, or a snapshot stood for it. @throws Finding */
  check(log: readonly StampedEvent[]): void {
    const written = new Map(log.map((event) => [event.version, event]));
    for (const event of log) {
      const isOccupied = event.name === "channel_occupied";
      if (!isOccupied && event.name !== "channel_vacated") continue;
      if (!event.channel.startsWith(this.prefix)) continue;
      const { version, channel, occurred_ms } = event;
      const change = this.#changes.get(version);
      if (change === undefined) {
        if (this.#snapshots.some(([after, cut]) => after < version && version <= cut)) continue;
        throw new Finding(`${this.name} was never told ${JSON.stringify(event)}`, channel);
      }
      const told = { name: change.name, data: { ...stateOf(change.data), count: 0 } };
      const expected = {
        name: isOccupied ? "occupied" : "vacated",
        data: { channel, version, count: 0, occurred_ms },
      };
      if (!Bun.deepEquals(told, expected))
        throw new Finding(
          `${this.name} was told ${JSON.stringify(change)} for ${JSON.stringify(event)}`,
          channel,
        );
    }
    for (const [version, { data }] of this.#changes) {
      if (!written.has(version))
        throw new Finding(`${this.name} was told ${JSON.stringify(data)}, which the server does not know`);
    }
  }

  get name(): string {
    return `the stream of "${this.prefix}*"`;
  }

  async #readOn(): Promise<void> {
    while (!this.#isStopped) {
      this.#connection = new AbortController();
      this.#pages = [];
      let isOpen = false;
      try {
        const { signal } = this.#connection;
        const headers: Record<string, string> =
          this.#lastId === undefined ? {} : { "Last-Event-ID": String(this.#lastId) };
        const query = this.prefix === "" ? {} : { filter_by_prefix: this.prefix };
        const response = await fetch(signedUrl(this.#parts.earshot, "/occupancy", query), {
          headers,
          signal,
        });
        if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
        isOpen = true;
        for await (const event of readEventStream(response)) this.#take(event);
        this.#parts.trace.tell(`${this.name} has ended`);
      } catch (problem) {
        if (problem instanceof Finding) this.#parts.wrong(problem.message, problem.channel);
        else if (isOpen) this.#parts.trace.tell(`${this.name} broke: ${problem}`);
      }
      if (!this.#isStopped) await Bun.sleep(RETRY_MS);
    }
  }

  #take(event: StreamEvent): void {
    const id = event.id === undefined ? undefined : Number(event.id);
    switch (event.name) {
      case "snapshot":
        this.#takePage(event, id);
        break;
      case "occupied":
      case "vacated":
        this.#takeChange(event, id);
        break;
      case "heartbeat":
        if (id !== undefined && id < (this.#lastId ?? 0))
          throw new Finding(`${this.name} went back from ${this.#lastId} to ${id}`);
        break;
      default:
        throw new Finding(`${this.name} has an event ${event.name}`);
    }
    if (id !== undefined) this.#lastId = id;
  }

  #takePage({ data }: StreamEvent, cut: number | undefined): void {
    const { channels } = data as { channels: ChannelState[] }; // the shape of a snapshot's page
    this.#pages.push(...channels);
    if (cut === undefined) return;
    this.#snapshots.push([this.#lastId ?? 0, cut]);
    this.#known = new Map(this.#pages.map((state) => [state.channel, state]));
    this.#parts.trace.tell(`${this.name} has a snapshot as of ${cut}: ${[...this.#known.keys()].join(", ")}`);
  }

  #takeChange(event: StreamEvent, id: number | undefined): void {
    const state = stateOf(event.data);
    this.#parts.trace.tell(`${this.name}: ${event.name} ${JSON.stringify(state)}`, {
      channel: state.channel,
    });
    if (id !== state.version || id <= (this.#lastId ?? 0))
      throw new Finding(`${this.name} was told ${id} after ${this.#lastId}`, state.channel);
    this.#changes.set(id, event);
    if (event.name === "occupied") this.#known.set(state.channel, state);
    else this.#known.delete(state.channel);
  }
}

function stateOf(data: unknown): ChannelState {
  return data as ChannelState; // the shape of a change
}
