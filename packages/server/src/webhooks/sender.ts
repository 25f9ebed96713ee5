import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Clock } from "#core/ports";
import { type Connection, Connections, type Target } from "./connections.ts";
import { Deadline } from "./deadline.ts";
import { type Answered, exchange, type Outcome, type Unanswered } from "./exchange.ts";
import { addressIn, Names, type Resolve } from "./names.ts";
import type { Targets } from "./targets.ts";

export interface WebhookRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What became of one attempt. A status counts, whatever became of the body that followed it. */
export type SendResult = (Answered | Unanswered) & { readonly durationMs: number };

export interface SenderParts {
  /** From the start of an attempt to the end of its answer. */
  readonly timeoutMs: number;
  readonly targets: Targets;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly resolve?: Resolve;
  /** PEM text: who vouches for receivers, in place of those whom the machine trusts. */
  readonly ca?: string;
}

/** One request on its way. */
interface Attempt {
  readonly url: URL;
  readonly headers: Headers;
  readonly body: string;
  readonly deadline: Deadline;
}

/** Ours to say, because they say how the request is framed. */
const FRAMING = new Set(["connection", "content-length", "expect", "host", "transfer-encoding", "upgrade"]);

const STOPPING = "the server is stopping";

/**
 * Makes requests to receivers, which may be anybody's. Follows no redirect, connects to no address that the targets
 * policy refuses, asks no proxy, and keeps connections for the next request.
 */
export class Sender {
  readonly #timeoutMs: number;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #names: Names;
  readonly #connections: Connections;
  readonly #underWay = new Set<Deadline>();
  #closed = false;

  constructor({ timeoutMs, targets, clock, resolve = allAddresses, ca }: SenderParts) {
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    this.#names = new Names({ resolve, targets, clock });
    this.#connections = new Connections(clock, ca);
  }

  /** Never rejects. */
  async send(request: WebhookRequest): Promise<SendResult> {
    const startMs = this.#clock.monotonicMs();
    const result = await this.#send(request);
    return { ...result, durationMs: Math.round(this.#clock.monotonicMs() - startMs) };
  }

  /** Breaks off what is under way. */
  close(): void {
    this.#closed = true;
    for (const deadline of this.#underWay) deadline.breakOff(STOPPING);
    this.#connections.close();
  }

  async #send(request: WebhookRequest): Promise<Answered | Unanswered> {
    if (this.#closed) return failed(STOPPING);
    const url = URL.parse(request.url);
    if (url?.protocol !== "http:" && url?.protocol !== "https:")
      return failed("the URL is none of http or https; give the endpoint another one");
    const headers = headersOf(request, url);
    if (typeof headers === "string") return failed(headers);

    const deadline = new Deadline(
      this.#timeoutMs,
      `${url.host} did not answer within ${this.#timeoutMs} ms (webhooks.timeoutMs)`,
    );
    this.#underWay.add(deadline);
    try {
      return await this.#attempt({ url, headers, body: request.body, deadline });
    } finally {
      deadline.clear();
      this.#underWay.delete(deadline);
    }
  }

  async #attempt(attempt: Attempt): Promise<Answered | Unanswered> {
    const targets = await this.#targetsOf(attempt);
    if (typeof targets === "string") return failed(attempt.deadline.problem ?? targets);
    const outcome = (await this.#onKept(attempt, targets)) ?? (await this.#onNew(attempt, targets));
    return outcome.answered
      ? { answered: true, status: outcome.status, body: outcome.body }
      : failed(outcome.problem);
  }

  /** Where the request may go, or why it goes nowhere. */
  async #targetsOf({ url, deadline }: Attempt): Promise<readonly Target[] | string> {
    const isName = addressIn(url.hostname) === undefined;
    try {
      const found = this.#names.addressesOf(url.hostname);
      const addresses = found instanceof Promise ? await deadline.before(found) : found;
      return addresses.map((address) => ({
        protocol: url.protocol === "https:" ? "https:" : "http:",
        host: url.host,
        address,
        serverName: isName ? url.hostname.replace(/\.$/, "") : undefined,
      }));
    } catch (problem) {
      const text = problem instanceof Error ? problem.message : String(problem);
      return isName ? `${url.host} did not answer: ${text}` : text;
    }
  }

  /** Undefined where there is no kept connection that the receiver has not hung up on: then a new one may do. */
  async #onKept(attempt: Attempt, targets: readonly Target[]): Promise<Outcome | undefined> {
    for (const target of targets) {
      const connection = this.#connections.take(target);
      if (connection === undefined) continue;
      const outcome = await this.#exchange(attempt, target, connection);
      return outcome.answered || outcome.end === "other" ? outcome : undefined;
    }
    return undefined;
  }

  /** Goes on to the next address where nothing was sent to the one before. */
  async #onNew(attempt: Attempt, targets: readonly Target[]): Promise<Outcome> {
    let outcome: Outcome = { ...failed(`${attempt.url.host} leads to no address`), end: "other" };
    for (const target of targets) {
      outcome = await this.#exchange(attempt, target, this.#connections.open(target));
      if (attempt.deadline.problem !== undefined) this.#names.avoid(attempt.url.hostname, target.address);
      if (outcome.answered || outcome.end !== "refused") break;
    }
    return outcome;
  }

  async #exchange(attempt: Attempt, target: Target, connection: Connection): Promise<Outcome> {
    const { url, headers, body, deadline } = attempt;
    const outcome = await exchange({
      session: connection.session,
      url: pinned(url, target.address),
      host: url.host,
      headers,
      body,
      deadline,
    });
    if (outcome.answered && outcome.isReusable && !this.#closed) this.#connections.keep(connection);
    else connection.session.close();
    return outcome;
  }
}

async function allAddresses(hostname: string): Promise<readonly string[]> {
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}

/** The URL with an address in place of the name, so that nobody looks the name up once more. */
function pinned(url: URL, address: string): string {
  const host = isIP(address) === 6 ? `[${address}]` : address;
  return `${url.protocol}//${host}${url.port === "" ? "" : `:${url.port}`}${url.pathname}${url.search}`;
}

/** Or what is wrong with the headers. */
function headersOf(request: WebhookRequest, url: URL): Headers | string {
  const headers = new Headers();
  try {
    for (const [name, value] of Object.entries(request.headers))
      if (!FRAMING.has(name.toLowerCase())) headers.set(name, value);
    headers.set("Host", url.host);
    return headers;
  } catch (problem) {
    const text = problem instanceof Error ? problem.message : String(problem);
    return `the request cannot be sent: ${text}; change the endpoint's headers`;
  }
}

function failed(problem: string): Unanswered {
  return { answered: false, problem };
}
