import { PassThrough } from "node:stream";
import Pusher from "pusher";
import type { Change } from "../change.ts";
import type { ApiAnswer, Publisher, TriggerParams } from "../publisher.ts";
import type { OpenStream } from "../signed-stream.ts";
import type { ManualTime } from "./manual-time.ts";

export const KEY = "gate-key";
export const SECRET = "gate-secret";

export interface Published {
  readonly channel: string;
  readonly event: string;
  readonly data: unknown;
  readonly params?: TriggerParams;
}

/** The server as a gate sees it through the `pusher` library: what it is asked, and what it tells. */
export class FakeService implements Publisher {
  readonly published: Published[] = [];
  readonly reports: Record<string, unknown>[] = [];
  position = 1;
  /** The oldest event that waits for the endpoint, as an age. */
  undeliveredMs: number | undefined;
  /** The server's clock less that of everybody else. */
  skewMs = 60_000;
  /** What each request of that kind answers with instead. */
  triggerFails: (() => Promise<unknown>) | undefined;
  positionFails: (() => Promise<unknown>) | undefined;
  streamFails: (() => Promise<unknown>) | undefined;
  listFails: (() => Promise<unknown>) | undefined;
  /** Streams that are open tell nothing. */
  isSilent = false;
  /** Streams whose ids are taken for gone: they begin with a snapshot. */
  horizon = 0;
  snapshots = 0;
  readonly streams: {
    readonly body: PassThrough;
    readonly prefix: string;
    readonly after: number | undefined;
  }[] = [];
  readonly #time: ManualTime;
  readonly #announced = new Map<string, Change>();
  readonly #history: Change[] = [];
  readonly #library = new Pusher({ appId: "1", key: KEY, secret: SECRET, host: "127.0.0.1" });

  constructor(time: ManualTime) {
    this.#time = time;
  }

  nowMs(): number {
    return this.#time.wallMs() + this.skewMs;
  }

  /** The data of what was published to a channel, in order. */
  heard(channel: string): unknown[] {
    return this.published.filter((published) => published.channel === channel).map(({ data }) => data);
  }

  announce(channel: string, isOccupied: boolean): Change {
    this.position++;
    const change: Change = {
      channel,
      isOccupied,
      version: this.position,
      occurredMs: this.nowMs(),
      count: isOccupied ? 1 : 0,
    };
    this.#announced.set(channel, change);
    this.#history.push(change);
    for (const { body, prefix } of this.streams) {
      if (!this.isSilent && channel.startsWith(prefix)) body.write(changeEvent(change));
    }
    return change;
  }

  /** What the streams say while nothing happens that is for them. */
  heartbeat(): void {
    const { position } = this;
    for (const { body } of this.streams)
      body.write(`event: heartbeat\nid: ${position}\ndata: {"position":${position}}\n\n`);
  }

  comment(): void {
    for (const { body } of this.streams) body.write(": still here\n\n");
  }

  webhook(request: { headers: object; rawBody: string }) {
    return this.#library.webhook(request);
  }

  async trigger(
    channel: string | string[],
    event: string,
    data: unknown,
    params?: TriggerParams,
  ): Promise<unknown> {
    await this.triggerFails?.();
    for (const name of typeof channel === "string" ? [channel] : channel) {
      this.published.push({ channel: name, event, data, ...(params === undefined ? {} : { params }) });
    }
    return undefined;
  }

  async post({ path, body }: { path: string; body: unknown }): Promise<ApiAnswer> {
    if (path !== "/occupancy/position") throw new Error(path);
    await this.positionFails?.();
    this.reports.push(Object(body));
    return answer({
      position: this.position,
      now_ms: this.nowMs(),
      endpoints: 1,
      oldest_undelivered_ms: this.undeliveredMs === undefined ? null : this.nowMs() - this.undeliveredMs,
      waiting: this.undeliveredMs === undefined ? 0 : 1,
    });
  }

  async get({ path }: { path: string }): Promise<ApiAnswer> {
    if (path === "/channels") {
      await this.listFails?.();
      return answer({ channels: Object.fromEntries(this.#occupied("").map((c) => [c.channel, {}])) });
    }
    throw new Error(path);
  }

  /** In place of a signed request. */
  readonly openStream: OpenStream = async (path, params, signal) => {
    if (path !== "/occupancy") throw new Error(path);
    await this.streamFails?.();
    const body = new PassThrough();
    const prefix = params["filter_by_prefix"] ?? "";
    const after = params["last_event_id"] === undefined ? undefined : Number(params["last_event_id"]);
    const stream = { body, prefix, after };
    this.streams.push(stream);
    body.on("error", () => undefined); // the reader is told
    body.on("close", () => this.streams.splice(this.streams.indexOf(stream), 1));
    if (signal.aborted) body.destroy();
    else signal.addEventListener("abort", () => body.destroy());
    if (after === undefined || after < this.horizon) this.#writeSnapshot(body, prefix);
    else {
      const missed = this.#history.filter(
        ({ channel, version }) => version > after && channel.startsWith(prefix),
      );
      for (const change of missed) body.write(changeEvent(change));
    }
    return body;
  };

  createSignedQueryString(request: { method: string; path: string }): string {
    return this.#library.createSignedQueryString(request);
  }

  #writeSnapshot(body: PassThrough, prefix: string): void {
    this.snapshots++;
    const rows = this.#occupied(prefix).map(row);
    const first = rows.slice(0, 1);
    if (rows.length > 1) body.write(`event: snapshot\ndata: ${JSON.stringify({ channels: first })}\n\n`);
    const last = rows.length > 1 ? rows.slice(1) : first;
    body.write(
      `event: snapshot\nid: ${this.position}\ndata: ${JSON.stringify({ last: true, channels: last })}\n\n`,
    );
  }

  #occupied(prefix: string): Change[] {
    return [...this.#announced.values()].filter(
      (change) => change.isOccupied && change.channel.startsWith(prefix),
    );
  }
}

/** What the library throws when the server answers with an error, or not at all. */
export function requestError(status?: number): Error {
  return Object.assign(new Error(status === undefined ? "no connection" : `status ${status}`), {
    url: "http://h/",
    status,
  });
}

function answer(value: unknown): ApiAnswer {
  return { status: 200, json: async () => value };
}

function row({ channel, version, count, occurredMs }: Change): object {
  return { channel, version, count, occurred_ms: occurredMs };
}

function changeEvent(change: Change): string {
  const name = change.isOccupied ? "occupied" : "vacated";
  return `event: ${name}\nid: ${change.version}\ndata: ${JSON.stringify(row(change))}\n\n`;
}
