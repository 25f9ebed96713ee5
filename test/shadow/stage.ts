import { pusherFor } from "../support/authorizer.ts";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { addWebhook, updateWebhook } from "../support/webhook-endpoint.ts";
import { Attendance } from "./attendance.ts";
import { ShadowClient } from "./client.ts";
import { Finding } from "./finding.ts";
import type { RedisSet } from "./redis-set.ts";
import { ShadowEndpoint } from "./shadow-endpoint.ts";
import { ShadowStream } from "./shadow-stream.ts";
import type { Trace } from "./trace.ts";
import { CLIENTS, ENDPOINTS, flagsOf, STREAM_PREFIXES, weatherOf } from "./world.ts";

export interface StageParts {
  readonly seed: number;
  readonly trace: Trace;
  /** Where the application of the first endpoint keeps what it was told. */
  readonly redisSet?: RedisSet;
}

/** A server with everybody around it: clients, receivers of webhooks, readers of the stream. */
export class Stage {
  readonly earshot: Earshot;
  readonly clients: readonly ShadowClient[];
  readonly endpoints: readonly ShadowEndpoint[];
  readonly streams: readonly ShadowStream[];
  readonly attendance = new Attendance();
  readonly #trace: Trace;
  readonly #findings: Finding[];
  #changing: Promise<void> = Promise.resolve();

  static async set({ seed, trace, redisSet }: StageParts): Promise<Stage> {
    const findings: Finding[] = [];
    const wrong = (problem: string, channel?: string) => {
      findings.push(new Finding(problem, channel));
    };
    const earshot = await startEarshot({ args: flagsOf(weatherOf(seed)) });
    const shared = { earshot, trace, wrong };
    const library = pusherFor(earshot);
    const endpoints = await Promise.all(
      ENDPOINTS.map((plan, index) => {
        const application = index === 0 && redisSet !== undefined ? { redisSet } : {};
        const own = { plan, seed: seed * ENDPOINTS.length + index, library, appId: earshot.app.id };
        return ShadowEndpoint.start({ ...shared, ...own, ...application });
      }),
    );
    const stage = new Stage(shared, endpoints, findings);
    for (const endpoint of endpoints) if (endpoint.plan.isFirst) await stage.#add(endpoint);
    await earshot.updateApp("--client-events", "true", "--subscription-count", "true"); // and the endpoints are taken up too
    return stage;
  }

  private constructor(
    shared: { earshot: Earshot; trace: Trace; wrong: (problem: string, channel?: string) => void },
    endpoints: readonly ShadowEndpoint[],
    findings: Finding[],
  ) {
    const client = { ...shared, attendance: this.attendance };
    this.earshot = shared.earshot;
    this.#trace = shared.trace;
    this.#findings = findings;
    this.endpoints = endpoints;
    this.clients = Array.from({ length: CLIENTS }, (_, index) => new ShadowClient(index, client));
    this.streams = STREAM_PREFIXES.map((prefix) => new ShadowStream({ ...shared, prefix }));
  }

  /** The first thing that anybody has found to be wrong. */
  get finding(): Finding | undefined {
    return this.#findings[0];
  }

  client(index: number): ShadowClient {
    const client = this.clients[index];
    if (client === undefined) throw new Error(`there is no client ${index}`);
    return client;
  }

  /** Begins to; `changed` tells when it is done. */
  addEndpoint(index: number): void {
    this.#change(index, (endpoint) => this.#add(endpoint));
  }

  /** Begins to; `changed` tells when it is over. */
  pauseEndpoint(index: number, ms: number): void {
    this.#change(index, async ({ id, plan }) => {
      this.#trace.tell(`endpoint "${plan.name}" is disabled`);
      await updateWebhook(this.earshot, id, { enabled: false });
      await Bun.sleep(ms);
      await updateWebhook(this.earshot, id, { enabled: true });
      this.#trace.tell(`endpoint "${plan.name}" is enabled`);
    });
  }

  async changed(): Promise<void> {
    await this.#changing;
  }

  async strike(): Promise<void> {
    for (const client of this.clients) client.cutOff(Date.now());
    for (const stream of this.streams) await stream.stop();
    await this.earshot.kill();
    await this.changed();
    for (const endpoint of this.endpoints) await endpoint.stop();
  }

  #change(index: number, act: (endpoint: ShadowEndpoint) => Promise<void>): void {
    const endpoint = this.endpoints[index];
    if (endpoint === undefined) throw new Error(`there is no endpoint ${index}`);
    this.#changing = this.#changing
      .then(() => act(endpoint))
      .catch((problem) => {
        this.#findings.push(new Finding(String(problem)));
      });
  }

  async #add(endpoint: ShadowEndpoint): Promise<void> {
    endpoint.id = await addWebhook(this.earshot, endpoint.url, endpoint.plan);
    endpoint.addedMs = Date.now();
    this.#trace.tell(`endpoint "${endpoint.plan.name}" is added`);
  }
}
