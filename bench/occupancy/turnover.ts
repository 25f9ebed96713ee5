/** One channel that somebody comes to, or that its one subscriber leaves. */
export interface Turn {
  readonly channel: number;
  readonly does: "subscribe" | "unsubscribe";
}

export interface Population {
  readonly channels: number;
  /** So many of them, the first ones at the start, have a subscriber. */
  readonly occupied: number;
}

/**
 * The turn with this number, counted from 0: subscribe and unsubscribe alternate, always the channel that has been vacant, or occupied, for the longest time.
 * So the occupied ones are a span that moves once around all channels, and none is touched again before all others have been.
 */
export function turnAt({ channels, occupied }: Population, number: number): Turn {
  const step = Math.floor(number / 2);
  return number % 2 === 0
    ? { channel: (occupied + step) % channels, does: "subscribe" }
    : { channel: step % channels, does: "unsubscribe" };
}

/** How long a channel stays vacant before somebody comes to it again. */
export function vacantMs({ channels, occupied }: Population, turnsPerSecond: number): number {
  return (1_000 * (channels - occupied)) / (turnsPerSecond / 2);
}

export function channelName(channel: number): string {
  return `private-room-${channel}`;
}
