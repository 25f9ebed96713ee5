import { expect, test } from "bun:test";
import { isStateEvent, type WebhookEvent } from "@earshot/protocol/webhook";
import type { WebhookEndpoint } from "#core/app";
import type { WebhookProgress } from "#core/ports";
import { SeededChance } from "#core/testing/seeded-chance";
import { wants } from "#core/webhook-filter";
import type { SendResult } from "./sender.ts";
import { eventOfAnnounced, subjectOf } from "./subject.ts";
import { APP, answered, draft, endpoint, type Received, Stage, UNREACHABLE } from "./testing/stage.ts";

const CHANNELS = ["presence-a", "presence-b", "c", "d", "e", "f"] as const;
const USERS = ["u1", "u2"] as const;
const SEEDS = 12;
const STEPS = 150;

/** What one receiver has seen, and what it believes. */
class Receiver {
  readonly chance: SeededChance;
  /** By subject of a state, or by channel for the others: the newest version that came. */
  readonly newest = new Map<string, number>();
  /** By subject: what it believes when it applies whatever comes, as it comes. */
  readonly applied = new Map<string, { readonly version: number; readonly name: string }>();
  readonly arrived = new Set<number>();
  readonly contents = new Map<number, string>();
  readonly disorder: string[] = [];
  poisonous = 0;
  isWell = false;

  constructor(seed: number) {
    this.chance = new SeededChance(seed);
  }

  take({ events }: Received, after: (ms: number, result: SendResult) => Promise<SendResult>) {
    for (const event of events) this.#see(event, event.version ?? 0);
    const isPoison = events.some((event) => this.isPoison(event.version ?? 0));
    if (isPoison) return answered(this.chance.integer(2) === 0 ? 400 : 422);
    const mood = this.isWell ? 0 : this.chance.integer(10);
    if (mood === 8) return answered(500);
    if (mood === 9) return UNREACHABLE;
    this.#apply(events);
    if (mood === 7) return after(10_000, UNREACHABLE); // it has applied them, and we do not hear of it
    for (const event of events) this.arrived.add(event.version ?? 0);
    return mood === 6 ? after(this.chance.integer(3_000), answered(201)) : answered(200);
  }

  /** Some events it never takes. */
  isPoison(version: number): boolean {
    return this.poisonous > 0 && Math.floor(version / 7) % this.poisonous === 0;
  }

  #see(event: WebhookEvent, version: number): void {
    const content = JSON.stringify(event);
    if ((this.contents.get(version) ?? content) !== content)
      this.disorder.push(`${version} has two contents`);
    const isRepeated = this.contents.has(version);
    this.contents.set(version, content);
    const about = subjectOf(event) ?? `moments of ${event.channel}`;
    const newest = this.newest.get(about) ?? 0;
    if (!isRepeated && version < newest) this.disorder.push(`${about}: ${version} after ${newest}`);
    this.newest.set(about, Math.max(newest, version));
  }

  #apply(events: Received["events"]): void {
    for (const event of events) {
      const subject = subjectOf(event);
      if (subject !== undefined) this.applied.set(subject, { version: event.version ?? 0, name: event.name });
    }
  }
}

/** Everything that happens in one run, decided by its seed. */
class Endurance {
  readonly stage: Stage;
  readonly chance: SeededChance;
  readonly receivers = new Map<string, Receiver>();
  endpoints: WebhookEndpoint[];
  readonly #present = new Set<string>();

  constructor(seed: number) {
    this.chance = new SeededChance(seed);
    this.endpoints = [
      endpoint({ id: "e1", url: "http://one.test" }),
      endpoint({
        id: "e2",
        url: "http://two.test",
        batch: this.chance.integer(2) === 0,
        prefix: "presence-",
      }),
    ];
    const maxWaiting = this.chance.integer(2) === 0 ? 15 : 1_000_000;
    const times = { retryBaseMs: 50, retryMaxMs: 15_000, poisonMs: 15_000, giveUpMs: 60_000 };
    this.stage = new Stage(draft(...this.endpoints), { ...times, maxWaiting }, seed);
    this.stage.outboxMs = this.chance.pick([undefined, undefined, 0, 30]);
    for (const { url } of this.endpoints) this.receivers.set(url, new Receiver(seed + url.length));
    for (const receiver of this.receivers.values()) receiver.poisonous = this.chance.pick([0, 0, 5, 40]);
    this.stage.receiver = (received) =>
      this.#receiverOf(received.request.url).take(
        received,
        (ms, result) => new Promise((resolve) => this.stage.alarm.later(ms, () => resolve(result))),
      );
  }

  #receiverOf(url: string): Receiver {
    const found = this.receivers.get(url);
    if (found === undefined) throw new Error(`nobody is at ${url}`);
    return found;
  }

  async step(): Promise<void> {
    const { stage, chance } = this;
    const what = chance.integer(40);
    if (what === 0) {
      stage.kill();
      await stage.start();
    } else if (what === 1) {
      await stage.stop();
      await stage.start();
    } else if (what === 2) this.#toggle();
    else if (what < 8) await stage.pass(chance.integer(10_000), 250);
    else if (what < 12) stage.outbox.announce(APP, { name: "cache_miss", channel: chance.pick(CHANNELS) });
    else this.#flip();
    stage.outbox.commitsAtOnce = chance.integer(3) > 0;
    if (stage.outbox.commitsAtOnce) stage.outbox.commit();
    await stage.pass(chance.integer(100), 50);
  }

  /** A channel or member comes or goes. */
  #flip(): void {
    const { outbox } = this.stage;
    const channel = this.chance.pick(CHANNELS);
    const isMember = channel.startsWith("presence-") && this.chance.integer(2) === 0;
    const userId = this.chance.pick(USERS);
    const subject = isMember ? `${channel}/${userId}` : channel;
    const isPresent = !this.#present.has(subject);
    if (isPresent) this.#present.add(subject);
    else this.#present.delete(subject);
    if (isMember) outbox[isPresent ? "memberAdded" : "memberRemoved"](APP, channel, userId);
    else outbox[isPresent ? "occupied" : "vacated"](APP, channel);
  }

  #toggle(): void {
    const index = this.chance.integer(2);
    this.endpoints = this.endpoints.map((one, i) => (i === index ? { ...one, enabled: !one.enabled } : one));
    this.stage.apps.put(draft(...this.endpoints));
  }

  /** Everybody is well, and nothing more happens. */
  async rest(): Promise<void> {
    this.stage.outbox.commitsAtOnce = true;
    this.stage.outbox.commit();
    this.endpoints = this.endpoints.map((one) => ({ ...one, enabled: true }));
    this.stage.apps.put(draft(...this.endpoints));
    for (const receiver of this.receivers.values()) {
      receiver.isWell = true;
      receiver.poisonous = 0;
    }
    const isQuiet = () => this.stage.webhooks.progress(APP).every(isUpToDate);
    await this.stage.until(isQuiet, 20_000_000);
  }
}

/** Nothing waits, and nothing is unknown. */
function isUpToDate({ waiting, oldestWaitingMs }: WebhookProgress): boolean {
  return waiting === 0 && oldestWaitingMs === undefined;
}

async function play(seed: number): Promise<Endurance> {
  const run = new Endurance(seed);
  await run.stage.start();
  for (let step = 0; step < STEPS; step++) await run.step();
  await run.rest();
  return run;
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`ends with receivers that know the present state, all in order, whatever happens: seed ${seed}`, async () => {
    const run = await play(seed);
    try {
      for (const one of run.endpoints) {
        const receiver = run.receivers.get(one.url) ?? new Receiver(0);
        expect(receiver.disorder).toEqual([]);
        const query = { appId: APP, endpointId: one.id, limit: 100_000 };
        run.stage.store.flush();
        const dead = new Set(run.stage.look((log) => log.deadLetters(query)).map(({ version }) => version));
        for (const announced of run.stage.outbox.states(APP)) {
          const event = eventOfAnnounced(announced);
          if (!wants(one, event.name, event.channel)) continue;
          const believed = receiver.applied.get(subjectOf(event) ?? "");
          expect(believed).toEqual({ version: announced.version, name: event.name });
        }
        for (const { event, version } of run.stage.outbox.everything(APP)) {
          if (isStateEvent(event) || !wants(one, event.name, event.channel) || dead.has(version)) continue;
          expect(receiver.arrived).toContain(version);
        }
        expect(run.stage.log.lines.filter(({ level }) => level === "error")).toEqual([]);
      }
    } finally {
      run.stage.end();
    }
  });
}
