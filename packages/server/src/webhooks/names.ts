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

interface Lookup {
  readonly startedMs: number;
  /** A promise until the name server has answered. */
  allowed: readonly string[] | Promise<readonly string[]>;
}

const KEPT_MS = 5_000; // ours: what a receiver that moves away waits for; a lookup for each request would cost more than it
const MAX_NAMES = 1_000; // ours: each is some hundred bytes

/** The address that stands in a URL where others have a name; undefined where there is a name. */
export function addressIn(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, "");
  return isIP(bare) === 0 ? undefined : bare;
}

/** Where names lead to, as far as the targets policy allows. Asks once for requests that come close together. */
export class Names {
  readonly #parts: NamesParts;
  readonly #lookups = new Map<string, Lookup>();

  constructor(parts: NamesParts) {
    this.#parts = parts;
  }

  /**
   * The addresses that were allowed when the name server named them, at most 5 s ago; at once where they are known. At
   * least one. An IP address leads to itself.
   *
   * @throws where the name leads nowhere, or to nothing that is allowed: the text says why
   */
  addressesOf(hostname: string): readonly string[] | Promise<readonly string[]> {
    const nowMs = this.#parts.clock.monotonicMs();
    const known = this.#lookups.get(hostname);
    if (known !== undefined && nowMs - known.startedMs < KEPT_MS) return known.allowed;
    const literal = addressIn(hostname);
    const lookup: Lookup = {
      startedMs: nowMs,
      allowed: literal === undefined ? this.#lookUp(hostname) : [this.#allowed(literal)],
    };
    this.#keep(hostname, lookup);
    if (lookup.allowed instanceof Promise) this.#settle(hostname, lookup, lookup.allowed);
    return lookup.allowed;
  }

  async #lookUp(hostname: string): Promise<readonly string[]> {
    return this.#allowedOf(hostname, await this.#parts.resolve(hostname));
  }

  /** A failure is not kept. */
  #settle(hostname: string, lookup: Lookup, result: Promise<readonly string[]>): void {
    result.then(
      (allowed) => {
        lookup.allowed = allowed;
      },
      () => {
        if (this.#lookups.get(hostname) === lookup) this.#lookups.delete(hostname);
      },
    );
  }

  #keep(hostname: string, lookup: Lookup): void {
    this.#lookups.delete(hostname);
    this.#lookups.set(hostname, lookup);
    for (const oldest of this.#lookups.keys()) {
      if (this.#lookups.size <= MAX_NAMES) break;
      this.#lookups.delete(oldest);
    }
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
