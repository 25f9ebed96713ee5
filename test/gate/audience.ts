import type { Trace } from "../shadow/trace.ts";
import type { Earshot } from "../support/earshot.ts";
import { type Call, problemOf, type Terms } from "./judgement.ts";
import type { Visit } from "./schedule.ts";
import { Watching } from "./watching.ts";

const AGAIN_MS = 20;

export interface Problem {
  readonly text: string;
  readonly channel: string;
}

/** All watchers of a test. */
export class Audience {
  readonly sessions: Watching[] = [];
  readonly #earshot: Earshot;
  readonly #trace: Trace;
  readonly #over = Promise.withResolvers<void>();
  readonly #stays: Promise<void>[] = [];
  readonly #visits: Promise<void>[] = [];

  constructor(earshot: Earshot, trace: Trace) {
    this.#earshot = earshot;
    this.#trace = trace;
  }

  /** Lets them come and go, each in its own time from now on. */
  attend(visits: readonly Visit[]): void {
    const beganMs = performance.now();
    const reached = (atMs: number) => Bun.sleep(Math.max(0, beganMs + atMs - performance.now()));
    for (const visit of visits) {
      const stay = (async () => {
        await reached(visit.fromMs);
        await this.#attendOne(visit, visit.toMs === undefined ? this.#over.promise : reached(visit.toMs));
      })();
      (visit.toMs === undefined ? this.#stays : this.#visits).push(stay);
    }
  }

  /** Everybody has left but those who stay. */
  async visited(): Promise<void> {
    await Promise.all(this.#visits);
  }

  /** Those who stay leave too. */
  async leave(): Promise<void> {
    this.#over.resolve();
    await Promise.all(this.#stays);
  }

  /** The server is about to end every connection. */
  cutOff(): void {
    for (const session of this.sessions) session.cutOff();
  }

  get watching(): readonly Watching[] {
    return this.sessions.filter(({ untilMs }) => untilMs === undefined);
  }

  get heard(): number {
    return this.sessions.reduce((sum, { heard }) => sum + heard.length, 0);
  }

  /** The first thing that one of these sessions should have seen and has not, or has seen in another order. */
  problem(sessions: readonly Watching[], calls: readonly Call[], terms: Terms): Problem | undefined {
    for (const session of sessions) {
      const text = problemOf(session, calls, terms);
      if (text !== undefined) return { text, channel: session.channel };
    }
    return undefined;
  }

  /** As a page does: it comes back as long as it is open. */
  async #attendOne({ watcher, channel, leaves }: Visit, isOver: Promise<void>): Promise<void> {
    let isOpen = true;
    const over = isOver.then(() => {
      isOpen = false;
    });
    while (isOpen) {
      const watching = await Watching.begin(this.#earshot, watcher, channel).catch(() => undefined);
      if (watching === undefined) {
        await Bun.sleep(AGAIN_MS);
        continue;
      }
      this.sessions.push(watching);
      this.#trace.tell(`${watcher} watches ${channel}`, { channel });
      await Promise.race([watching.closed, over]);
      if (isOpen) watching.cutOff();
      else watching.end(leaves);
      this.#trace.tell(`${watcher} ${isOpen ? "is cut off from" : "leaves"} ${channel}`, { channel });
    }
  }
}
