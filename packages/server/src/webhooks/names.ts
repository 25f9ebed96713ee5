import { isIP } from "node:net";
import type { Clock } from "#core/ports";
import { addressProblem, type Targets } from "./targets.ts";

/** All addresses of a name. Rejects where there are none. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

interface NamesParts {
  readonly resolve: Resolve;
  readonly targets: Targets;
  readonly clock: Pick<Clock, "monotonicMs">;
}

interface Known {
  /** Undefined until the name server has answered for the first time. */
  allowed?: readonly string[];
  /** Monotonic milliseconds at which the lookup began that said so. */
  learnedMs: number;
  lookup?: { readonly startedMs: number; readonly result: Promise<readonly string[]> } | undefined;
  /** Where nobody answered. */
  avoided?: string;
}

const KEPT_MS = 5_000; // ours: what a receiver that moves away waits for; a lookup for each request would cost more than it
const STALE_MS = 60_000; // ours: for so long the last answer does, where the name server does not answer
const PATIENCE_MS = 250; // ours: until the last answer does
const MAX_NAMES = 1_000; // ours: each is some hundred bytes

/** The address that stands in a URL where others have a name; undefined where there is a name. */
export function addressIn(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, "");
  return isIP(bare) === 0 ? undefined : bare;
}

/** Where names lead to, as far as the targets policy allows. Asks once for requests that come close together. */
export class Names {
  readonly #parts: NamesParts;
  readonly #known = new Map<string, Known>();

  constructor(parts: NamesParts) {
    this.#parts = parts;
  }

  /**
   * The addresses that were allowed when the name server named them, at most 5 s ago, or a minute where it does not answer; at once
   * where they are known. At least one. An IP address leads to itself.
   *
   * @throws where the name leads nowhere, or to nothing that is allowed: the text says why
   */
  addressesOf(hostname: string): readonly string[] | Promise<readonly string[]> {
    const nowMs = this.#parts.clock.monotonicMs();
    const known = this.#knownOf(hostname);
    const ageMs = nowMs - known.learnedMs;
    if (known.allowed !== undefined && ageMs < KEPT_MS) return known.allowed;
    const literal = addressIn(hostname);
    if (literal !== undefined) {
      known.allowed = [this.#allowed(literal)];
      known.learnedMs = nowMs;
      return known.allowed;
    }
    known.lookup ??= this.#lookUp(hostname, known, nowMs);
    const { startedMs, result } = known.lookup;
    if (known.allowed === undefined || ageMs >= STALE_MS) return result;
    const patienceMs = startedMs + PATIENCE_MS - nowMs;
    return patienceMs > 0 ? soonOr(result, patienceMs, known.allowed) : known.allowed;
  }

  /** Nobody answered there: the name's other addresses come first from now on. */
  avoid(hostname: string, address: string): void {
    const known = this.#known.get(hostname);
    if (known?.allowed === undefined) return;
    known.avoided = address;
    known.allowed = withLast(known.allowed, address);
  }

  #lookUp(hostname: string, known: Known, startedMs: number): NonNullable<Known["lookup"]> {
    const asked = this.#parts.resolve(hostname).then((addresses) => this.#allowedOf(hostname, addresses));
    const result = asked.then(
      (allowed) => {
        known.allowed = withLast(allowed, known.avoided);
        known.learnedMs = startedMs;
        known.lookup = undefined;
        return known.allowed;
      },
      (problem) => {
        this.#known.delete(hostname); // a failure is not kept, nor what it may have refused
        throw problem;
      },
    );
    result.catch(() => undefined); // whoever waits hears of it
    return { startedMs, result };
  }

  #knownOf(hostname: string): Known {
    const found = this.#known.get(hostname);
    if (found !== undefined) return found;
    const known: Known = { learnedMs: Number.NEGATIVE_INFINITY };
    this.#known.set(hostname, known);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_NAMES) break;
      this.#known.delete(oldest);
    }
    return known;
  }

  #allowedOf(hostname: string, addresses: readonly string[]): readonly string[] {
    const problems = addresses.map((address) => this.#problemOf(address));
    const allowed = addresses.filter((_, index) => problems[index] === undefined);
    if (allowed.length === 0) throw new Error(`${hostname} leads to ${problems[0] ?? "no address"}`);
    return allowed;
  }

  #allowed(address: string): string {
    const problem = this.#problemOf(address);
    if (problem !== undefined) throw new Error(problem);
    return address;
  }

  #problemOf(address: string): string | undefined {
    // Whatever is none would be looked up a second time, by the runtime.
    if (isIP(address) === 0) return `"${address}", which is no IP address; give the endpoint another URL`;
    return addressProblem(address, this.#parts.targets);
  }
}

function withLast(addresses: readonly string[], last: string | undefined): readonly string[] {
  if (last === undefined || !addresses.includes(last)) return addresses;
  return [...addresses.filter((address) => address !== last), last];
}

/** The result if it comes in time, else what is known. */
async function soonOr<T>(result: Promise<T>, ms: number, known: T): Promise<T> {
  const late = Promise.withResolvers<T>();
  const timer = setTimeout(() => late.resolve(known), ms);
  try {
    return await Promise.race([result, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
