/** A session over the HTTP transports, in the requests that pusher-js makes. */
import { randomBytes, randomInt } from "node:crypto";
import { Finding, must, NotShown, shown } from "./finding.ts";
import { type Frame, innerOf, parsed, readFrame } from "./frame.ts";
import type { Answer, Exchange, Request } from "./http.ts";
import { channelAuth } from "./signing.ts";
import { mountPath } from "./socket.ts";
import { Stage } from "./stage.ts";
import type { Target } from "./target.ts";

const BASES = ["/pusher", ""]; // the default of pusher-js first
const ALPHABET = "0123456789abcdefghijklmnopqrstuv";

export type Receive = "xhr_streaming" | "xhr";

/** The number that pusher-js puts into each request of a page. */
let requests = 0;

export class FallbackSession {
  readonly #stage: Stage;
  readonly #path: string;
  #socketId = "";

  private constructor(stage: Stage, path: string) {
    this.#stage = stage;
    this.#path = path;
  }

  /** A new session, which the server has not heard of yet. @throws NotShown where it does not offer the transports */
  static async create(stage: Stage, key = stage.target.app.key): Promise<FallbackSession> {
    const base = await baseOf(stage.target);
    return new FallbackSession(stage, sessionPath(stage.target, base, key));
  }

  get socketId(): string {
    return this.#socketId;
  }

  /** `xhr_send` too, for who asks about the URL alone. */
  url(action: Receive | "xhr_send"): string {
    requests++;
    const query = `t=${Date.now()}&n=${requests}`;
    const protocol = action === "xhr_send" ? "" : "protocol=7&client=js&version=8.6.0&";
    return `${this.#path}/${action}?${protocol}${query}`;
  }

  /** A receive request under way. */
  async receive(kind: Receive): Promise<Exchange> {
    return await this.#stage.request(post(this.url(kind)));
  }

  /** One poll, from its request to its end. */
  async poll(): Promise<readonly string[]> {
    const answer = await this.#stage.send(post(this.url("xhr")));
    must(answer.status === 200, () => `a poll is answered with ${answer.status} ${shown(answer.body)}`);
    return linesOf(answer.body);
  }

  /** Opens a stream and takes the welcome. */
  async stream(): Promise<Exchange> {
    const stream = await this.receive("xhr_streaming");
    const isWelcome = ({ event }: Frame) => event === "pusher:connection_established";
    await stream.until(() => framesOf(stream.text).some(isWelcome), "pusher:connection_established");
    const welcome = framesOf(stream.text).find(isWelcome);
    const { socket_id } = welcome === undefined ? {} : innerOf(welcome);
    if (typeof socket_id !== "string") throw new Finding(`no socket_id in ${shown(welcome?.raw)}`);
    this.#socketId = socket_id;
    return stream;
  }

  /** Posts messages, as objects; with a URL that was made before where the order matters. */
  async send(messages: readonly object[], url = this.url("xhr_send")): Promise<Answer> {
    const body = JSON.stringify(messages.map((message) => JSON.stringify(message)));
    return await this.#stage.send({ ...post(url), body });
  }

  subscribeMessage(channel: string): object {
    const { app } = this.#stage.target;
    const auth = /^(private|presence)-/.test(channel)
      ? { auth: channelAuth(app, this.#socketId, channel) }
      : {};
    return { event: "pusher:subscribe", data: { channel, ...auth } };
  }
}

function post(path: string): Request {
  return {
    method: "POST",
    path,
    headers: { "Content-Type": "application/json", Origin: "http://page.test" },
  };
}

/** Whole lines alone. */
export function linesOf(text: string): string[] {
  return text.split("\n").slice(0, -1);
}

/** The protocol messages in the whole lines of a response. */
export function framesOf(text: string): Frame[] {
  return linesOf(text).flatMap((line) => {
    if (line[0] !== "a") return [];
    const messages = parsed(line.slice(1));
    if (!Array.isArray(messages)) throw new Finding(`no array in the line ${shown(line)}`);
    return messages.map((message: unknown) => readFrame(String(message)));
  });
}

const bases = new WeakMap<Target, Promise<string | { readonly why: string }>>();

/** Under which path the server offers the transports. @throws NotShown where it does not */
async function baseOf(target: Target): Promise<string> {
  let found = bases.get(target);
  if (found === undefined) {
    found = findBase(target);
    bases.set(target, found);
  }
  const base = await found;
  if (typeof base === "string") return base;
  throw new NotShown(`the server does not offer the HTTP transports (${base.why})`);
}

async function findBase(target: Target): Promise<string | { readonly why: string }> {
  let why = "";
  for (const base of BASES) {
    const stage = new Stage(target);
    const path = `${sessionPath(target, base, target.app.key)}/xhr?protocol=7&client=js&version=8.6.0&t=1&n=1`;
    try {
      const { status, body } = await stage.send(post(path));
      if (status === 200 && linesOf(body).some((line) => line.startsWith("o"))) return base;
      why ||= `POST ${base}/app/KEY/.../xhr is answered with ${status} ${shown(body)}`;
    } catch (problem) {
      why ||= problem instanceof Error ? problem.message : String(problem);
    } finally {
      stage.end();
    }
  }
  return { why };
}

function sessionPath(target: Target, base: string, key: string): string {
  const id = [...randomBytes(8)].map((byte) => ALPHABET[byte % ALPHABET.length]).join("");
  return `${mountPath(target.url)}${base}/app/${key}/${randomInt(1_000)}/${id}`;
}
