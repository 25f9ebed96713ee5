import { lookup as resolveByName } from "node:dns/promises";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import type { Clock } from "#core/ports";
import { type Answered, exchange } from "./exchange.ts";
import { addressProblem, type Targets } from "./targets.ts";

export interface WebhookRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What became of one attempt. A status counts, whatever became of the body that followed it. */
export type SendResult =
  | (Answered & { readonly durationMs: number })
  | { readonly answered: false; readonly problem: string; readonly durationMs: number };

/** All addresses of a name. Rejects where there are none. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

export interface SenderParts {
  /** From the start of an attempt to the end of its answer. */
  readonly timeoutMs: number;
  readonly targets: Targets;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly resolve?: Resolve;
  /** PEM text: who vouches for receivers, in place of those whom the machine trusts. */
  readonly ca?: string;
}

const IDLE_MS = 4_000; // ours: below the 5 s after which Node's servers hang up
const MAX_IDLE_SOCKETS = 64; // ours: as many lanes as four endpoints of one host have

/** Ours to say, because they say how the request is framed. */
const FRAMING = new Set(["connection", "content-length", "expect", "host", "transfer-encoding", "upgrade"]);

/**
 * Makes requests to receivers, which may be anybody's. Follows no redirect, connects to no address that the targets
 * policy refuses, and keeps connections for the next request.
 */
export class Sender {
  readonly #timeoutMs: number;
  readonly #targets: Targets;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #resolve: Resolve;
  readonly #ca: { readonly ca?: string };
  readonly #http = new HttpAgent({ keepAlive: true, timeout: IDLE_MS, maxFreeSockets: MAX_IDLE_SOCKETS });
  readonly #https = new HttpsAgent({ keepAlive: true, timeout: IDLE_MS, maxFreeSockets: MAX_IDLE_SOCKETS });
  readonly #closing = new AbortController();

  constructor({ timeoutMs, targets, clock, resolve = allAddresses, ca }: SenderParts) {
    this.#timeoutMs = timeoutMs;
    this.#targets = targets;
    this.#clock = clock;
    this.#resolve = resolve;
    this.#ca = ca === undefined ? {} : { ca };
  }

  /** Never rejects. */
  async send(request: WebhookRequest): Promise<SendResult> {
    const startMs = this.#clock.monotonicMs();
    const durationMs = () => Math.round(this.#clock.monotonicMs() - startMs);
    const failed = (problem: string) => ({ answered: false, problem, durationMs: durationMs() }) as const;

    const url = URL.parse(request.url);
    if (url?.protocol !== "http:" && url?.protocol !== "https:")
      return failed("the URL is none of http or https; give the endpoint another one");
    const literal = url.hostname.replace(/^\[|\]$/g, "");
    // A connection to an address looks nothing up.
    const problem = isIP(literal) === 0 ? undefined : addressProblem(literal, this.#targets);
    if (problem !== undefined) return failed(problem);

    const headers = { ...withoutFraming(request.headers), "Content-Length": Buffer.byteLength(request.body) };
    const attempt = (agent: HttpAgent | HttpsAgent | false) =>
      exchange({
        url,
        options: { method: "POST", headers, agent, lookup: this.#lookup, ...this.#ca },
        body: request.body,
        timeoutMs: this.#timeoutMs,
        leftMs: Math.max(0, this.#timeoutMs - (this.#clock.monotonicMs() - startMs)),
        closing: this.#closing.signal,
      });
    let result = await attempt(url.protocol === "https:" ? this.#https : this.#http);
    if (result.answered === false && result.wasStale) result = await attempt(false);
    return result.answered ? { ...result, durationMs: durationMs() } : failed(result.problem);
  }

  /** Breaks off what is under way. */
  close(): void {
    this.#closing.abort();
    this.#http.destroy();
    this.#https.destroy();
  }

  /**
   * Asked once for each new connection, which then goes to one of the addresses that it returns and to no other: what
   * the name means a moment later does not matter.
   */
  readonly #lookup: LookupFunction = (hostname, options, callback) => {
    this.#allowedAddresses(hostname).then(
      (allowed) => {
        if (options.all === true) callback(null, allowed);
        else callback(null, allowed[0]?.address ?? "", allowed[0]?.family ?? 0);
      },
      (problem) => callback(problem instanceof Error ? problem : new Error(String(problem)), []),
    );
  };

  async #allowedAddresses(hostname: string): Promise<{ address: string; family: number }[]> {
    const addresses = await this.#resolve(hostname);
    const problems = addresses.map((address) => addressProblem(address, this.#targets));
    const allowed = addresses.filter((_, index) => problems[index] === undefined);
    if (allowed.length === 0) throw new Error(`${hostname} leads to ${problems[0] ?? "no address"}`);
    return allowed.map((address) => ({ address, family: isIP(address) }));
  }
}

async function allAddresses(hostname: string): Promise<readonly string[]> {
  return (await resolveByName(hostname, { all: true })).map(({ address }) => address);
}

function withoutFraming(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !FRAMING.has(name.toLowerCase())));
}
