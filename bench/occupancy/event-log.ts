import type { SentEvent } from "@earshot/protocol/webhook";

/** What one endpoint was told, by version. */
export class EventLog {
  readonly #byVersion = new Map<number, string>();
  readonly #newestOf = new Map<string, { version: number; isOccupied: boolean }>();
  #occupied = 0;
  #vacated = 0;
  repeated = 0;
  wrong = 0;

  get distinct(): number {
    return this.#byVersion.size;
  }

  add({ name, channel, version }: SentEvent): void {
    if (version === undefined || (name !== "channel_occupied" && name !== "channel_vacated")) {
      this.wrong++;
      return;
    }
    const content = `${name} ${channel}`;
    const known = this.#byVersion.get(version);
    if (known !== undefined) {
      if (known === content) this.repeated++;
      else this.wrong++;
      return;
    }
    this.#byVersion.set(version, content);
    const isOccupied = name === "channel_occupied";
    if (isOccupied) this.#occupied++;
    else this.#vacated++;
    const newest = this.#newestOf.get(channel);
    const isNext =
      newest === undefined ? isOccupied : newest.version < version && newest.isOccupied !== isOccupied;
    if (!isNext) this.wrong++;
    if (newest === undefined || newest.version < version)
      this.#newestOf.set(channel, { version, isOccupied });
  }

  /** How many of so many events never came. Since those of a channel alternate, a missing one cannot be made up for by another. */
  missing(occupied: number, vacated: number): number {
    return Math.abs(occupied - this.#occupied) + Math.abs(vacated - this.#vacated);
  }

  /** Versions that only one of the two has, or of which they have another content. */
  differences(other: EventLog): number {
    let differing = 0;
    for (const [version, content] of this.#byVersion)
      if (other.#byVersion.get(version) !== content) differing++;
    for (const version of other.#byVersion.keys()) if (!this.#byVersion.has(version)) differing++;
    return differing;
  }
}
