import { createHmac } from "node:crypto";
import type { Change } from "../change.ts";
import { createGate, type Gate } from "../gate.ts";
import type { GateError } from "../gate-error.ts";
import type { GateOptions } from "../options.ts";
import { FakeService, KEY, SECRET } from "./fake-service.ts";
import { ManualTime, turns } from "./manual-time.ts";

/** A gate before a service that a test has in its hands, in time that it moves. */
export class GateWorld {
  readonly time = new ManualTime();
  readonly service = new FakeService(this.time);
  readonly errors: GateError[] = [];
  readonly gate: Gate;
  readonly #receive: (request: Request) => Promise<Response>;

  constructor(options: Partial<GateOptions> = {}) {
    this.gate = createGate({
      pusher: this.service,
      feed: "webhooks",
      endpoint: "e1",
      openStream: this.service.openStream,
      time: this.time,
      onError: (error) => this.errors.push(error),
      ...options,
    });
    this.#receive = this.gate.receiver();
  }

  static async started(options: Partial<GateOptions> = {}): Promise<GateWorld> {
    const world = new GateWorld(options);
    void world.gate.start();
    await turns();
    return world;
  }

  get codes(): string[] {
    return this.errors.map(({ code }) => code);
  }

  /** Numbered events to a channel; says what each call returned. */
  async ticks(channel: string, ...numbers: number[]): Promise<boolean[]> {
    const said: boolean[] = [];
    for (const number of numbers) said.push(await this.gate.trigger(channel, "tick", number));
    return said;
  }

  /** Changes what is announced, and tells the gate by a webhook. */
  async announce(channel: string, isOccupied: boolean): Promise<void> {
    await this.tell(this.service.announce(channel, isOccupied));
  }

  /** Tells the gate of changes, as one webhook. Returns the status of its answer. */
  async tell(...changes: Change[]): Promise<number> {
    const { status } = await this.#receive(signedWebhook(webhookBody(this.service.nowMs(), changes)));
    await turns();
    return status;
  }
}

export function webhookBody(timeMs: number, changes: readonly Change[]): string {
  const events = changes.map(({ channel, isOccupied, version, occurredMs }) => ({
    name: isOccupied ? "channel_occupied" : "channel_vacated",
    channel,
    id: `1-${version}`,
    version,
    occurred_ms: occurredMs,
  }));
  return JSON.stringify({ time_ms: timeMs, events });
}

/** The headers of a webhook whose body was signed with the app's secret. */
export function webhookHeaders(body: string, secret = SECRET, key = KEY): Record<string, string> {
  return {
    "content-type": "application/json",
    "x-pusher-key": key,
    "x-pusher-signature": createHmac("sha256", secret).update(body).digest("hex"),
  };
}

export function signedWebhook(body: string, headers: Record<string, string> = {}): Request {
  return new Request("http://gate.example/hooks", {
    method: "POST",
    headers: { ...webhookHeaders(body), ...headers },
    body,
  });
}
