/**
 * The keys of a gate: the set, whose name is the caller's, and what stands beside it. A hash tag puts all of them into one
 * slot of a Redis Cluster, that of the set.
 */
export class Keys {
  readonly #shared: readonly string[];
  readonly #prefix: string;

  constructor(set: string) {
    // What stands between the first { and the next } decides the slot; without them it is the whole name.
    const hasTag = /\{[^}]+\}/.test(set);
    this.#prefix = hasTag ? set : `{${set}}`;
    const beside = ["gate", "versions", "drains", "owners", "kept", "volume"];
    this.#shared = [set, ...beside.map((name) => `${this.#prefix}:${name}`)];
  }

  /** In the order of prelude.lua. */
  with(...channels: readonly string[]): string[] {
    return [...this.#shared, ...channels.map((channel) => `${this.#prefix}:messages:${channel}`)];
  }
}
