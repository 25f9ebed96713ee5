import type { StampedEvent } from "@earshot/protocol/webhook";
import type Pusher from "pusher";
import { SeededChance } from "../../packages/server/src/core/testing/seeded-chance.ts";
import { eventsOf } from "../support/webhook-endpoint.ts";
import {
  type ReceivedWebhook,
  startWebhookReceiver,
  type Treatment,
  type WebhookReceiver,
} from "../support/webhook-receiver.ts";
import { Finding } from "./finding.ts";
import type { RedisSet } from "./redis-set.ts";
import { FAULTS, type Fault } from "./step.ts";
import type { Trace } from "./trace.ts";
import { NaiveView, OrderedView, stateOf, type View } from "./view.ts";
import { type EndpointPlan, TIMES } from "./world.ts";

const MAX_BATCH = 20;
const MISHAP_PERCENT = 4; // that happens in fair weather too

export interface EndpointParts {
  readonly plan: EndpointPlan;
  readonly seed: number;
  /** The official library, set up for the app. */
  readonly library: Pusher;
  readonly appId: string;
  readonly trace: Trace;
  readonly wrong: (problem: string, channel?: string) => void;
  /** The Redis set of the application, which believes whatever comes. */
  readonly redisSet?: RedisSet;
}

/** A receiver with its faults, and what it has learnt from webhooks. */
export class ShadowEndpoint {
  readonly plan: EndpointPlan;
  readonly naive = new NaiveView();
  readonly ordered = new OrderedView();
  /** The first time that each version came, in order of arrival. */
  readonly firsts = new Map<number, StampedEvent>();
  /** How often anything came again. */
  repeats = 0;
  requests = 0;
  id = "";
  /** When its addition was done; undefined where it is not there yet. */
  addedMs: number | undefined;
  readonly #parts: EndpointParts;
  readonly #receiver: WebhookReceiver;
  readonly #chance: SeededChance;
  #fault: Fault | undefined;
  #isFair = false;
  #faults = 0;
  #switching: Promise<void> = Promise.resolve();

  static async start(parts: EndpointParts): Promise<ShadowEndpoint> {
    const endpoint: ShadowEndpoint = new ShadowEndpoint(
      parts,
      await startWebhookReceiver({
        take: (request) => endpoint.#take(request),
        treat: (request) => endpoint.#treat(request),
      }),
    );
    return endpoint;
  }

  private constructor(parts: EndpointParts, receiver: WebhookReceiver) {
    this.plan = parts.plan;
    this.#parts = parts;
    this.#receiver = receiver;
    this.#chance = new SeededChance(parts.seed);
  }

  get url(): string {
    return this.#receiver.url;
  }

  get redisView(): (() => Promise<View>) | undefined {
    const { redisSet } = this.#parts;
    return redisSet === undefined ? undefined : () => redisSet.view();
  }

  /** Whether a newer state of the same channel or member has come. */
  isSuperseded(event: StampedEvent): boolean {
    const state = stateOf(event);
    return state !== undefined && (this.ordered.versionOf(state.subject) ?? 0) > event.version;
  }

  wants(event: Pick<StampedEvent, "name" | "channel">): boolean {
    return this.plan.events.includes(event.name) && event.channel.startsWith(this.plan.prefix);
  }

  /** From now on, for so long. */
  fail(fault: Fault, ms: number): void {
    const number = ++this.#faults;
    this.#parts.trace.tell(`receiver "${this.plan.name}": ${fault} for ${ms} ms`);
    this.#fault = fault;
    if (fault === "down") this.#switch(() => this.#receiver.goDown());
    else this.#switch(() => this.#receiver.comeUp());
    setTimeout(() => {
      if (this.#faults === number) this.#recover();
    }, ms);
  }

  /** Answers everything with 200 until `getOn`. */
  async heal(): Promise<void> {
    this.#faults++;
    this.#isFair = true;
    this.#recover();
    await this.#switching;
  }

  getOn(): void {
    this.#isFair = false;
  }

  async stop(): Promise<void> {
    await this.#switching;
    await this.#receiver.goDown();
  }

  #recover(): void {
    this.#fault = undefined;
    this.#switch(() => this.#receiver.comeUp());
  }

  #switch(act: () => Promise<void>): void {
    this.#switching = this.#switching.then(act);
  }

  #treat({ body }: ReceivedWebhook): Treatment | undefined {
    const treatment = this.#isFair ? undefined : this.#treatment();
    if (treatment !== undefined) {
      const versions = body.match(/"version":\d+/g)?.join(", ");
      this.#parts.trace.tell(`receiver "${this.plan.name}" ${treatment.does} ${versions}`);
    }
    return treatment;
  }

  #treatment(): Treatment | undefined {
    if (this.#fault === undefined)
      return this.#chance.integer(100) < MISHAP_PERCENT ? this.#mishap() : undefined;
    if (this.#fault === "anything") return this.#chance.integer(3) === 0 ? undefined : this.#mishap();
    return treatmentOf(this.#fault);
  }

  #mishap(): Treatment {
    return treatmentOf(this.#chance.pick(FAULTS));
  }

  async #take(request: ReceivedWebhook): Promise<void> {
    this.requests++;
    let events: readonly StampedEvent[];
    try {
      events = eventsOf(this.#parts.library, request);
      this.#check(request, events);
    } catch (problem) {
      return this.#wrong(problem instanceof Error ? problem.message : String(problem));
    }
    for (const event of events) this.#learn(event);
    await this.#parts.redisSet?.apply(events);
  }

  #learn(event: StampedEvent): void {
    this.#parts.trace.tell(`receiver "${this.plan.name}" takes ${JSON.stringify(event)}`, {
      channel: event.channel,
    });
    const first = this.firsts.get(event.version);
    if (first === undefined) this.firsts.set(event.version, event);
    else if (Bun.deepEquals(first, event)) this.repeats++;
    else this.#wrong(`version ${event.version} came with two contents`, event.channel);
    this.naive.apply(event);
    this.ordered.apply(event);
  }

  /** @throws Finding */
  #check({ method, path, headers, body }: ReceivedWebhook, events: readonly StampedEvent[]): void {
    if (method !== "POST" || path !== "/webhooks") throw new Finding(`was asked for ${method} ${path}`);
    const limit = this.plan.batch ? MAX_BATCH : 1;
    if (events.length === 0 || events.length > limit) throw new Finding(`${events.length} events in ${body}`);
    for (const name of ["x-earshot-delivery", "x-earshot-attempt", "x-earshot-first-attempt"]) {
      if ((headers[name] ?? "") === "") throw new Finding(`no header ${name} with ${body}`);
    }
    for (const event of events) {
      if (!this.wants(event)) throw new Finding(`does not want ${JSON.stringify(event)}`, event.channel);
      if (event.id !== `${this.#parts.appId}-${event.version}`)
        throw new Finding(`the id is not that of the version: ${JSON.stringify(event)}`);
      if (!Number.isSafeInteger(event.version)) throw new Finding(`version ${event.version} is not exact`);
    }
  }

  #wrong(problem: string, channel?: string): void {
    this.#parts.wrong(`receiver "${this.plan.name}": ${problem}`, channel);
  }
}

function treatmentOf(fault: Fault): Treatment {
  switch (fault) {
    case "500":
    case "429":
    case "400":
      return { does: "answers", status: Number(fault) };
    case "302":
      return { does: "answers", status: 302, headers: { Location: "/elsewhere" } };
    case "late":
      return { does: "answers late", afterMs: TIMES.timeout + 200 };
    case "hangs up":
    case "loses the answer":
    case "breaks off the answer":
      return { does: fault };
    case "down":
    case "anything":
      return { does: "hangs up" };
  }
}
