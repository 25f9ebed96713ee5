/** All times are Unix milliseconds: the processes of a run share one clock. */

/** What a back-end did with one tick. */
export interface SentTick {
  readonly channel: number;
  readonly seq: number;
  readonly calledMs: number;
  readonly answeredMs: number;
  /** `trigger` said that it was sent, or that nobody is there; or it failed. */
  readonly outcome: "sent" | "kept" | "failed";
}

/** What one viewer saw from its subscription to its leaving. */
export interface Session {
  readonly channel: number;
  readonly subscribedMs: number;
  readonly leftMs: number;
  readonly arrivals: readonly { readonly seq: number; readonly atMs: number }[];
}

export interface Judgement {
  /** Ticks that a viewer should have seen, one for each viewer. */
  readonly due: number;
  readonly missed: number;
  /** The first few, in words. */
  readonly examples: readonly string[];
  /** Ticks that a viewer saw again, or after a newer one. */
  readonly repeated: number;
  readonly disordered: number;
}

const EXAMPLES = 5;

/**
 * Whether viewers saw everything: a tick is due to whoever was subscribed before `trigger` was called and stayed for at least `graceMs` after.
 * What else they saw (ticks from before their subscription that a gate had kept) is not held against anybody, but must be in order.
 */
export function judge(ticks: readonly SentTick[], sessions: readonly Session[], graceMs: number): Judgement {
  const byChannel = Map.groupBy(ticks, ({ channel }) => channel);
  const examples: string[] = [];
  let due = 0;
  let missed = 0;
  let repeated = 0;
  let disordered = 0;
  for (const session of sessions) {
    const seen = new Set<number>();
    let newest = -1;
    for (const { seq } of session.arrivals) {
      if (seen.has(seq)) repeated++;
      else if (seq < newest) disordered++;
      seen.add(seq);
      newest = Math.max(newest, seq);
    }
    for (const { seq, calledMs, outcome } of byChannel.get(session.channel) ?? []) {
      if (calledMs < session.subscribedMs || calledMs > session.leftMs - graceMs) continue;
      due++;
      if (seen.has(seq)) continue;
      missed++;
      if (examples.length < EXAMPLES) {
        const after = (calledMs - session.subscribedMs).toFixed(0);
        const before = (session.leftMs - calledMs).toFixed(0);
        examples.push(
          `channel ${session.channel} seq ${seq} (${outcome}): called ${after} ms after the subscription, ${before} ms before the leaving`,
        );
      }
    }
  }
  return { due, missed, examples, repeated, disordered };
}

/** Ticks that somebody saw, for the first time within the window. */
export function usefulPublishes(sessions: readonly Session[], fromMs: number, toMs: number): number {
  const firstSeenMs = new Map<string, number>();
  for (const { channel, arrivals } of sessions) {
    for (const { seq, atMs } of arrivals) {
      const key = `${channel}/${seq}`;
      firstSeenMs.set(key, Math.min(atMs, firstSeenMs.get(key) ?? atMs));
    }
  }
  return [...firstSeenMs.values()].filter((atMs) => atMs >= fromMs && atMs < toMs).length;
}

/** Ticks that were sent within the window to nobody, because a viewer had left less than `delayMs` before. */
export function sentAfterLeaving(
  ticks: readonly SentTick[],
  sessions: readonly Session[],
  window: { readonly fromMs: number; readonly toMs: number; readonly delayMs: number },
): number {
  const byChannel = Map.groupBy(sessions, ({ channel }) => channel);
  return ticks.filter(({ channel, calledMs, answeredMs, outcome }) => {
    if (outcome !== "sent" || calledMs < window.fromMs || calledMs >= window.toMs) return false;
    const own = byChannel.get(channel) ?? [];
    const isHeard = own.some(({ subscribedMs, leftMs }) => subscribedMs < answeredMs && leftMs > calledMs);
    return !isHeard && own.some(({ leftMs }) => leftMs <= calledMs && leftMs > calledMs - window.delayMs);
  }).length;
}
