import { DEFAULT_LIMITS } from "@earshot/protocol/limits";
import { FixedApps } from "../../packages/server/src/core/testing/fixed-apps.ts";
import {
  HeldAnswers,
  heldBus,
  heldLastEvents,
  heldOccupancy,
} from "../../packages/server/src/core/testing/held-answers.ts";
import { SeededChance } from "../../packages/server/src/core/testing/seeded-chance.ts";
import { type Client, draft, PAIR, World } from "../../packages/server/src/core/testing/world.ts";
import { BROADCASTS, documentedAnswers, explains, judgeFrame } from "./frame-judge.ts";
import { channelName, textStep } from "./generate.ts";
import { type Finding, type Step, signedText, type Target } from "./step.ts";

const STEPS = 60;
const CLIENTS = 3;

/** Messages against the real core over back ends whose answers come late, out of order, or not at all. */
export const lateTarget: Target = {
  name: "late",
  shrinks: true,
  generate(seed) {
    const chance = new SeededChance(seed);
    const fails = chance.integer(4) === 0;
    return Array.from({ length: STEPS }, (): Step => {
      const kind = chance.integer(20);
      if (kind < 12) return textStep(chance, chance.integer(CLIENTS));
      if (kind < 18) return { do: "answer", at: chance.integer(1_000) };
      if (kind === 18) return { do: "break", client: chance.integer(CLIENTS) };
      return fails
        ? { do: "fail", at: chance.integer(1_000) }
        : { do: "publish", channel: channelName(chance) };
    });
  },
  play: (steps) => new LatePlay().play(steps),
};

interface Spoken {
  readonly client: Client;
  readonly texts: string[];
}

class LatePlay {
  readonly #answers = new HeldAnswers();
  readonly #world: World;
  readonly #speakers: Spoken[];
  readonly #gone: Spoken[] = [];
  #hasFailed = false;

  constructor() {
    const answers = this.#answers;
    this.#world = new World({
      apps: new FixedApps(
        draft({ features: { clientEvents: true, subscriptionCount: true, watchlist: true } }),
      ),
      occupancy: (local) => heldOccupancy(local, answers),
      lastEvents: (local) => heldLastEvents(local, answers),
      bus: (local) => heldBus(local, answers),
    });
    this.#speakers = Array.from({ length: CLIENTS }, () => this.#newcomer());
  }

  async play(steps: readonly Step[]): Promise<Finding | undefined> {
    let index = 0;
    try {
      for (const step of steps) {
        await this.#playOne(step);
        index++;
      }
      await this.#answers.releaseAll();
      for (const spoken of [...this.#speakers, ...this.#gone]) this.#checkAnswers(spoken);
      for (const { client } of this.#speakers) client.vanish();
      await this.#answers.releaseAll();
      this.#checkTheEnd();
      return undefined;
    } catch (problem) {
      return {
        step: index,
        problem: problem instanceof Error ? (problem.stack ?? problem.message) : String(problem),
      };
    }
  }

  async #playOne(step: Step): Promise<void> {
    const answers = this.#answers;
    if (step.do === "answer" && answers.count > 0) await answers.release(step.at % answers.count);
    if (step.do === "publish") void this.#world.publish(step.channel, "published", "{}");
    if (step.do === "fail" && answers.count > 0) {
      this.#hasFailed = true;
      await answers.fail(new Error("the back end has failed"), step.at % answers.count);
    }
    if (step.do !== "text" && step.do !== "break") return;
    const number = step.client % CLIENTS;
    const spoken = this.#speakers[number];
    if (spoken === undefined) return;
    if (step.do === "break") {
      spoken.client.vanish();
      this.#gone.push(spoken);
      this.#speakers[number] = this.#newcomer();
      return;
    }
    const text = signedText(step, PAIR, spoken.client.socketId);
    spoken.texts.push(text);
    spoken.client.session.receive(text);
  }

  #newcomer(): Spoken {
    return { client: this.#world.connect(), texts: [] };
  }

  /** @throws where the frames of a client are not the answers to its messages, in their order */
  #checkAnswers({ client, texts }: Spoken): void {
    const isGone = !client.session.isOpen;
    const expected = texts.map((text) => {
      const answers = documentedAnswers(text, DEFAULT_LIMITS.maxFrameBytes).filter(
        ([first]) => first !== TOO_LARGE,
      );
      if (answers.length === 0) return [[]]; // refused before its turn
      return this.#hasFailed ? [...answers, ...FAILED] : answers;
    });
    const tokens = client
      .take()
      .map((frame) => judgeFrame(frame, this.#hasFailed).token)
      .filter((token) => token !== TOO_LARGE && !BROADCASTS.has(token));
    // The event that a cache channel remembers looks like a broadcast here, and is left out with them.
    for (let heard = texts.length; heard >= (isGone ? 0 : texts.length); heard--) {
      if (explains(expected.slice(0, heard).map(withoutRemembered), tokens)) return;
      if (isGone && heard > 0 && partly(expected.slice(0, heard), tokens)) return;
    }
    throw new Error(`the client sent ${JSON.stringify(texts).slice(0, 2_000)} and got ${tokens.join(", ")}`);
  }

  #checkTheEnd(): void {
    const world = this.#world;
    if (this.#hasFailed) return; // a leave that failed leaves its row to the next comparison
    if (world.failures.length > 0) throw new Error(`something broke: ${String(world.failures[0])}`);
    const left = [...world.occupied(), ...world.topics.occupied];
    if (left.length > 0) throw new Error(`somebody is still on ${left.join()}`);
    const { connections, subscriptions } = world.tallies.of("4711");
    if (connections + subscriptions !== 0) throw new Error("the tally does not end at nothing");
  }
}

const TOO_LARGE = "error:frameTooLarge";
const UNAVAILABLE = "error:unavailable";
const FAILED = [[UNAVAILABLE], [UNAVAILABLE, "internal", "plain"]];

type Alternatives = readonly (readonly string[])[];

function withoutRemembered(answers: Alternatives): Alternatives {
  return answers.filter((answer) => !answer.includes("remembered"));
}

/** Whether the last answer was cut off by the end of the connection. */
function partly(expected: readonly Alternatives[], tokens: readonly string[]): boolean {
  const last = expected.at(-1) ?? [];
  const cut = last.flatMap((answer) => answer.map((_, length) => answer.slice(0, length)));
  return explains([...expected.slice(0, -1), cut].map(withoutRemembered), tokens);
}
