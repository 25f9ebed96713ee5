/** Whether watchers saw what they should have, from what workers published and watchers heard. Times are Unix milliseconds. */

/** A call of `trigger` that did not fail, by its number among those of its worker on this channel. */
export interface Call {
  readonly worker: number;
  readonly channel: string;
  readonly number: number;
  /** When it was begun; the last time, where it had failed before. */
  readonly calledMs: number;
  /** False where the gate kept it. */
  readonly isSent: boolean;
}

/** What a watcher heard of a channel between its `subscription_succeeded` and its leaving. */
export interface Session {
  readonly watcher: string;
  readonly channel: string;
  readonly sinceMs: number;
  /** Undefined while it watches. */
  readonly untilMs: number | undefined;
  readonly heard: readonly Heard[];
}

export interface Heard {
  readonly worker: number;
  readonly number: number;
}

export interface Terms {
  /** How late an event may be: who leaves sooner after it need not have heard it. */
  readonly patienceMs: number;
  /** Something died that may have sent a message and not known that it had. */
  readonly mayRepeat: boolean;
  /** When a worker was told that the store did not answer: messages overtake then those that wait in it. */
  mayOvertake(call: Call): boolean;
}

/** The first thing that is wrong, or undefined. */
export function problemOf(session: Session, calls: readonly Call[], terms: Terms): string | undefined {
  const heard = Map.groupBy(session.heard, ({ worker }) => worker);
  const called = Map.groupBy(
    calls.filter(({ channel }) => channel === session.channel),
    ({ worker }) => worker,
  );
  for (const worker of new Set([...heard.keys(), ...called.keys()])) {
    const numbers = (heard.get(worker) ?? []).map(({ number }) => number);
    const problem = problemOfWorker(session, numbers, called.get(worker) ?? [], terms);
    if (problem !== undefined)
      return `${session.watcher} in ${session.channel}, worker ${worker}: ${problem}`;
  }
  return undefined;
}

function problemOfWorker(
  session: Session,
  numbers: readonly number[],
  calls: readonly Call[],
  { patienceMs, mayRepeat, mayOvertake }: Terms,
): string | undefined {
  const firsts = [...new Set(numbers)];
  if (!mayRepeat && firsts.length < numbers.length) {
    return `heard again: ${numbers.filter((number, at) => numbers.indexOf(number) < at).join(" ")}`;
  }
  const free = new Set(calls.filter(mayOvertake).map(({ number }) => number));
  const bound = firsts.filter((number) => !free.has(number));
  const swapped = bound.find((number, at) => number < (bound[at - 1] ?? 0));
  if (swapped !== undefined) return `${swapped} came after ${bound[bound.indexOf(swapped) - 1]}`;

  const last = Math.max(0, ...bound);
  const endMs = session.untilMs === undefined ? Number.POSITIVE_INFINITY : session.untilMs - patienceMs;
  const isOwed = ({ number, calledMs }: Call) =>
    calledMs > session.sinceMs && (calledMs < endMs || (number < last && !free.has(number)));
  const heard = new Set(firsts);
  const missing = calls.filter((call) => isOwed(call) && !heard.has(call.number));
  const [first] = missing;
  if (first === undefined) return undefined;
  const fate = first.isSent ? "sent" : "kept";
  const afterMs = Math.round(first.calledMs - session.sinceMs);
  return `${missing.length} missing, first ${first.number}, which was ${fate} ${afterMs} ms after the watcher had subscribed`;
}
