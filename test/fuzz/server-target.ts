import { SeededChance } from "../../packages/server/src/core/testing/seeded-chance.ts";
import { PAIR } from "../../packages/server/src/core/testing/world.ts";
import { until } from "../support/until.ts";
import { judgeAnswer } from "./answer-judge.ts";
import { signedQuery } from "./core-stage.ts";
import { requestStep, textStep } from "./generate.ts";
import { framed, httpBytes, upgrade } from "./http-bytes.ts";
import { checkAnswers, Peer } from "./peer.ts";
import { QUIET, ServerStage } from "./server-stage.ts";
import {
  bytesOf,
  type Finding,
  type RequestStep,
  type Step,
  signedText,
  type Target,
  textOf,
  WRONG_SECRET,
} from "./step.ts";
import { exchange, firstAnswer } from "./tcp.ts";
import { websocketBytes } from "./websocket-bytes.ts";

const STEPS = 100;
const CLIENTS = 3;
const CHECK_EVERY = 20;

let stage: ServerStage | undefined;

/** Messages, API requests and bytes that are neither, over real sockets against a whole server. */
export const serverTarget: Target = {
  name: "server",
  shrinks: false,
  generate(seed) {
    const chance = new SeededChance(seed);
    return Array.from({ length: STEPS }, (): Step => {
      const kind = chance.integer(100);
      if (kind < 50) return textStep(chance, chance.integer(CLIENTS));
      if (kind < 80) return requestStep(chance, "4711");
      if (kind < 84) return { do: "binary", client: chance.integer(CLIENTS) };
      if (kind < 86) return { do: "break", client: chance.integer(CLIENTS) };
      if (kind < 93) return { do: "frames", bytes: websocketBytes(chance) };
      return { do: "tcp", bytes: httpBytes(chance) };
    });
  },
  async play(steps) {
    if (stage === undefined) {
      stage = new ServerStage();
      await stage.watch();
    }
    return new ServerPlay(stage).play(steps);
  },
  async stop() {
    await stage?.server.stop();
    stage = undefined;
  },
};

class ServerPlay {
  readonly #stage: ServerStage;
  readonly #peers: Peer[] = [];
  #markers = 0;

  constructor(on: ServerStage) {
    this.#stage = on;
  }

  async play(steps: readonly Step[]): Promise<Finding | undefined> {
    let index = 0;
    try {
      for (let client = 0; client < CLIENTS; client++)
        this.#peers.push(await Peer.connect(this.#stage.port, PAIR));
      for (const step of steps) {
        await this.#playOne(step);
        index++;
        if (index % CHECK_EVERY === 0) await this.#check();
      }
      await this.#check();
      for (const peer of this.#peers) await this.#part(peer);
      await until("nobody but the bystander is left", async () => (await this.#occupied()) === QUIET.length);
      return undefined;
    } catch (problem) {
      return {
        step: index,
        problem: problem instanceof Error ? (problem.stack ?? problem.message) : String(problem),
      };
    } finally {
      for (const { socket } of this.#peers) socket.terminate();
      await until("everybody else has left", async () => (await this.#occupied()) === QUIET.length);
    }
  }

  async #playOne(step: Step): Promise<void> {
    switch (step.do) {
      case "text": {
        const peer = await this.#peer(step.client);
        peer.send(signedText(step, PAIR, peer.socketId));
        return;
      }
      case "binary":
        (await this.#peer(step.client)).socket.send(Uint8Array.from([0, 255, 128]));
        return;
      case "break": {
        const peer = await this.#peer(step.client);
        await peer.settle();
        await this.#part(peer);
        this.#peers[step.client % CLIENTS] = await Peer.connect(this.#stage.port, PAIR);
        return;
      }
      case "request":
        return this.#request(step);
      case "tcp":
        judgeLoosely(await exchange(this.#stage.port, bytesOf(step.bytes)));
        return;
      case "frames": {
        const bytes = upgrade(PAIR.key, this.#stage.port) + textOf(step.bytes);
        const answer = await exchange(this.#stage.port, bytesOf(bytes));
        if (!answer.startsWith("HTTP/1.1 101 "))
          throw new Error(`the upgrade was answered with ${answer.slice(0, 200)}`);
        return;
      }
      default:
        return;
    }
  }

  async #peer(number: number): Promise<Peer> {
    const at = number % CLIENTS;
    const known = this.#peers[at];
    if (known?.isOpen) return known;
    const peer = await Peer.connect(this.#stage.port, PAIR);
    this.#peers[at] = peer;
    return peer;
  }

  async #request(step: RequestStep): Promise<void> {
    const line = (text: string) =>
      Buffer.from(text.replaceAll(/[\s\p{Cc}]/gu, "_").toWellFormed()).toString("latin1");
    const path = line(step.path);
    const body = step.body === undefined ? "" : textOf(step.body);
    const seconds = Math.floor(Date.now() / 1_000);
    const secret = step.forged ? WRONG_SECRET : PAIR.secret;
    const query = step.sign
      ? signedQuery(step.method, path, line(step.query), bytesOf(body), seconds, secret)
      : line(step.query);
    const framing = step.body === undefined ? "\r\n" : framed(body, step.framing ?? "length");
    const head = `${step.method} ${path}?${query} HTTP/1.1\r\nHost: 127.0.0.1:${this.#stage.port}\r\nConnection: close\r\n`;
    const received = await exchange(this.#stage.port, bytesOf(head + framing));
    const answer = firstAnswer(received);
    const isWhole = step.framing === "length" || step.framing === "chunked" || step.body === undefined;
    if (!isWhole || step.method === "HEAD" || answer === undefined || isRuntimes(answer))
      return judgeLoosely(received);
    if (path.startsWith("/apps/") && judgeAnswer(answer) && (!step.sign || step.forged)) {
      throw new Error("a request was accepted that the app has not signed");
    }
  }

  /** @throws where something was logged, or the others were disturbed, or an answer is none that is documented */
  async #check(): Promise<void> {
    const { bystander, stranger, errors } = this.#stage;
    if (bystander === undefined || stranger === undefined) throw new Error("nobody watches");
    const data = String(this.#markers++);
    await this.#stage.call("POST", "/events", JSON.stringify({ name: "marker", channels: QUIET, data }));
    await bystander.waitFor("the bystander's events", () => bystander.frames.length >= QUIET.length);
    const expected = QUIET.map((channel) => `{"event":"marker","channel":"${channel}","data":"${data}"}`);
    const got = bystander.frames.splice(0);
    if (got.join("\n") !== expected.join("\n")) throw new Error(`the bystander got ${JSON.stringify(got)}`);
    if (stranger.frames.length > 0)
      throw new Error(`the other app got ${stranger.frames.join("\n").slice(0, 1_000)}`);
    for (const peer of this.#peers) {
      if (!peer.isOpen) throw new Error("a connection did not survive");
    }
    await Promise.all(this.#peers.map((peer) => peer.settle()));
    for (const peer of this.#peers) checkAnswers(peer);
    if (errors.length > 0) throw new Error(`an error was logged: ${errors[0]}`);
  }

  async #part(peer: Peer): Promise<void> {
    if (peer.isOpen) checkAnswers(peer);
    await peer.close();
  }

  async #occupied(): Promise<number> {
    const { channels } = JSON.parse(await this.#stage.call("GET", "/channels")) as { channels: object };
    return Object.keys(channels).length;
  }
}

/** What the runtime answers before a request comes to us has no body. */
function isRuntimes({ status, body }: { status: number; body: string }): boolean {
  return status >= 400 && status < 500 && body === "";
}

/** @throws where the server has failed, whatever it was sent */
function judgeLoosely(received: string): void {
  const status = firstAnswer(received)?.status ?? 0;
  if (status >= 500 && status !== 501 && status !== 505)
    throw new Error(`the server answered ${received.slice(0, 500)}`);
}
