import { DEFAULT_LIMITS } from "@earshot/protocol/limits";
import { SeededChance } from "../../packages/server/src/core/testing/seeded-chance.ts";
import { type Client, PAIR } from "../../packages/server/src/core/testing/world.ts";
import type { Log } from "../../packages/server/src/observe/log.ts";
import { Api } from "../../packages/server/src/transport/api/api.ts";
import { Authenticator } from "../../packages/server/src/transport/api/authenticate.ts";
import { apiPartsOf } from "../../packages/server/src/transport/api/testing/api-parts.ts";
import { ClientAddress } from "../../packages/server/src/transport/client-address.ts";
import { fallbackOf } from "../../packages/server/src/transport/http-fallback/testing/fallback-world.ts";
import { Metrics } from "../../packages/server/src/transport/metrics.ts";
import { requestPath } from "../../packages/server/src/transport/request-path.ts";
import { type RouterParts, route } from "../../packages/server/src/transport/router.ts";
import { digest } from "../support/digest.ts";
import { judgeAnswer } from "./answer-judge.ts";
import { CoreStage, MAX_CLIENT_EVENTS, signedQuery } from "./core-stage.ts";
import { type Answer, documentedAnswers, explains, type JudgedFrame, judgeFrame } from "./frame-judge.ts";
import { channelName, requestStep, textStep } from "./generate.ts";
import { ListenerJudge } from "./listener-judge.ts";
import { judgePublish } from "./publish-judge.ts";
import {
  bytesOf,
  type Finding,
  type RequestStep,
  type Step,
  type Target,
  type TextStep,
  WRONG_SECRET,
} from "./step.ts";

const STEPS = 200;
const MAX_STEP_MS = 400; // ours: far above what any input may cost, below what a quadratic one does

/** Messages and API requests against the real core and the real handlers, with fake sockets, in one process. */
export const coreTarget: Target = {
  name: "core",
  shrinks: true,
  generate(seed) {
    const chance = new SeededChance(seed);
    return Array.from({ length: STEPS }, () => oneStep(chance));
  },
  play: (steps) => new CorePlay().play(steps),
};

function oneStep(chance: SeededChance): Step {
  const kind = chance.integer(100);
  if (kind < 66) return textStep(chance, chance.integer(3));
  if (kind < 92) return requestStep(chance, "4711");
  if (kind < 94) return { do: "binary", client: chance.integer(3) };
  if (kind < 96) return { do: "break", client: chance.integer(3) };
  if (kind < 98) return { do: "publish", channel: channelName(chance) };
  return { do: "wait", ms: chance.pick([50, 1_000, 5_000, 31_000, 121_000]) };
}

class CorePlay {
  readonly #stage = new CoreStage();
  readonly #errors: string[] = [];
  readonly #router: RouterParts;
  readonly #server: Parameters<typeof route>[2];
  readonly #listening = new ListenerJudge();
  /** Who each client is signed in as. */
  readonly #users = new Map<Client, string>();
  /** Client events since time was moved. */
  readonly #relayed = new Map<Client, number>();

  constructor() {
    const { tallies, apps, clock } = this.#stage.world;
    const log: Log = {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (fields, message) => this.#errors.push(`${message} ${JSON.stringify(fields)}`),
      child: () => log,
    };
    const authenticator = new Authenticator({ apps, digest, clock });
    const parts = apiPartsOf(this.#stage.world);
    this.#router = {
      api: new Api({ ...parts, authenticator, tallies, maxBodyBytes: 200_000, log }),
      fallback: fallbackOf(this.#stage.world).fallback,
      metrics: new Metrics({ tallies, ...parts }),
      metricsToken: "",
      readiness: () => ({ isReady: true }),
      clientAddress: new ClientAddress([]),
      prefixes: ["/realtime"],
      pages: undefined,
    };
    // Of the runtime's server the router asks only this much.
    this.#server = {
      requestIP: () => null,
      upgrade: () => false,
      timeout: () => undefined,
    } as unknown as Parameters<typeof route>[2];
  }

  async play(steps: readonly Step[]): Promise<Finding | undefined> {
    const stage = this.#stage;
    stage.enter();
    const cpu = process.cpuUsage();
    for (const [index, step] of steps.entries()) {
      const beganMs = performance.now();
      try {
        await this.#playOne(step);
        if (performance.now() - beganMs > MAX_STEP_MS) {
          // A busy machine may hold us up; then the processor was somebody else's.
          const { user, system } = process.cpuUsage(cpu);
          if (user + system > MAX_STEP_MS * 1_000) throw new Error(`it took more than ${MAX_STEP_MS} ms`);
        }
        this.#listening.judge(stage.listener.take().map((frame) => judgeFrame(frame)));
        if (this.#errors.length > 0) throw new Error(`an error was logged: ${this.#errors[0]}`);
        stage.checkTheQuiet();
        stage.checkTheBooks();
      } catch (problem) {
        return { step: index, problem: describe(problem) };
      }
    }
    try {
      stage.leave();
      stage.checkTheEnd();
      return undefined;
    } catch (problem) {
      return { step: steps.length, problem: describe(problem) };
    }
  }

  async #playOne(step: Step): Promise<void> {
    const { world } = this.#stage;
    switch (step.do) {
      case "text":
        return this.#text(step);
      case "binary": {
        const client = this.#stage.offender(step.client);
        client.take();
        client.session.receiveBinary();
        expectAnswer(client, [["error:frameBinary"]]);
        return;
      }
      case "break":
        return this.#stage.replace(step.client);
      case "wait":
        world.clock.advance(step.ms);
        this.#relayed.clear();
        for (const { session } of [this.#stage.bystander, this.#stage.listener, this.#stage.stranger])
          session.seen();
        world.connections.checkLiveness();
        world.counts.tick();
        for (const [number, client] of this.#stage.offenders.entries()) {
          if (!client.session.isOpen) this.#stage.replace(number);
        }
        return;
      case "publish":
        world.publish(step.channel, "published", "{}");
        return;
      case "request":
        return this.#request(step);
      default:
        return;
    }
  }

  #text(step: TextStep): void {
    const client = this.#stage.offender(step.client);
    client.take();
    const text = this.#stage.textFor(client, step);
    client.session.receive(text);
    if (!client.session.isOpen) throw new Error("the connection did not survive a message");
    const answer = expectAnswer(client, documentedAnswers(text, DEFAULT_LIMITS.maxFrameBytes));
    const [first] = answer;
    if (step.forged && (first?.token === "signedIn" || NEEDS_SIGNATURE.test(succeededIn(first)))) {
      throw new Error("a signature was accepted that the app has not made");
    }
    if (first !== undefined) this.#checkUser(client, first);
    if (first === undefined && eventOf(text).startsWith("client-")) this.#countRelayed(client);
  }

  /** @throws where a client has become another user, or hears what is for another user */
  #checkUser(client: Client, { token, channel, data }: JudgedFrame): void {
    const known = this.#users.get(client);
    if (token === "signedIn") {
      const { user_data: userData } = JSON.parse(String(data)) as { user_data: string };
      const { id } = JSON.parse(userData) as { id: string };
      if (known !== undefined && known !== id) throw new Error(`${known} has become ${id}`);
      this.#users.set(client, id);
    } else if (token === "succeeded" && channel?.startsWith("#") && channel !== `#server-to-user-${known}`) {
      throw new Error(`${known} has subscribed to ${channel}`);
    }
  }

  /** @throws where a client has sent more events within a second than it may */
  #countRelayed(client: Client): void {
    const relayed = (this.#relayed.get(client) ?? 0) + 1;
    this.#relayed.set(client, relayed);
    if (relayed > MAX_CLIENT_EVENTS) throw new Error(`${relayed} events of one client within a second`);
  }

  async #request(step: RequestStep): Promise<void> {
    const { world, listener } = this.#stage;
    const request = this.#requestOf(step);
    const published = world.tallies.of("4711").apiMessages;
    const answer = await route(this.#router, request, this.#server, false);
    if (answer === undefined) throw new Error("a request was not answered");
    const contentType = answer.headers.get("content-type") ?? "";
    const isStream = contentType === "text/event-stream";
    const body = isStream ? "" : await answer.text();
    if (isStream) await answer.body?.cancel();
    const isOwn = new URL(request.url).pathname.startsWith("/apps/");
    if (!isOwn && answer.status < 500) return;
    const isAccepted = judgeAnswer({ status: answer.status, contentType, body });
    const reached = listener.take();
    if (isAccepted) {
      if (!step.sign || step.forged) throw new Error("a request was accepted that the app has not signed");
      judgePublish(step, reached);
    } else {
      const sent = world.tallies.of("4711").apiMessages - published;
      if (sent > 0 || reached.length > 0) throw new Error("a refused request was published");
    }
    this.#listening.judge(reached.map((frame) => judgeFrame(frame)));
  }

  #requestOf(step: RequestStep): Request {
    const { world } = this.#stage;
    const body = step.body === undefined ? undefined : bytesOf(step.body);
    const origin = "http://localhost";
    const { path } = requestPath(new Request(`${origin}${step.path}`).url);
    let query = step.query;
    if (step.sign) {
      const seconds = Math.floor(world.clock.wallMs() / 1_000);
      const secret = step.forged ? WRONG_SECRET : PAIR.secret;
      query = signedQuery(step.method, path, step.query, body ?? new Uint8Array(), seconds, secret);
    }
    if (step.tamper !== undefined) query = tampered(query, step.tamper);
    const hasBody = body !== undefined && step.method !== "GET" && step.method !== "HEAD";
    return new Request(
      `${origin}${step.path}?${query}`,
      hasBody ? { method: step.method, body } : { method: step.method },
    );
  }
}

const NEEDS_SIGNATURE = /^(?:private|presence)-/;

function succeededIn(frame: JudgedFrame | undefined): string {
  return frame?.token === "succeeded" ? (frame.channel ?? "") : "";
}

/**
 * The frames that answer a client's message, without those that the others get as well.
 *
 * @throws where they are none of the documented answers
 */
function expectAnswer(client: Client, answers: readonly Answer[]): readonly JudgedFrame[] {
  const frames = client
    .take()
    .map((frame) => judgeFrame(frame))
    .filter(({ token }) => token !== "count" && token !== "watchlist");
  const channel = succeededIn(frames[0]);
  const tokens = frames.map(({ token }, index) =>
    index === 1 && token === "event" && frames[1]?.channel === channel ? "remembered" : token,
  );
  if (explains([answers], tokens)) return frames;
  throw new Error(`the client got ${tokens.join(", ") || "nothing"}`);
}

/** The event of a text that was taken for a message. */
function eventOf(text: string): string {
  return (JSON.parse(text) as { event: string }).event;
}

function tampered(query: string, [at, bit]: readonly [number, number]): string {
  const place = at % query.length;
  const other = String.fromCharCode(query.charCodeAt(place) ^ (1 << bit));
  return query.slice(0, place) + encodeURIComponent(other) + query.slice(place + 1);
}

function describe(problem: unknown): string {
  return problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
}
