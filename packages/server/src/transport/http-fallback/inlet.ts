/** Posts of one session in the order in which the client sent them, as far as its numbers tell. */

/** How long a post waits for one that was sent before it and has not arrived. */
export const OVERTAKEN_WAIT_MS = 300; // ours: a connection's set-up and a preflight, on a phone
const MAX_GAPS = 32; // ours: a page with several clients shares the numbers among them
const MAX_WAITING_CHARS = 1_048_576; // ours: what waits is bounded; beyond that the order is given up

export interface InletParts {
  readonly take: (messages: readonly string[]) => void;
  /** Returns the way out. */
  readonly later: (ms: number, act: () => void) => () => void;
}

/** A run of numbers that somebody else has used, or that are still on their way. */
interface Gap {
  from: number;
  to: number;
}

/**
 * A page numbers all its requests, and a browser sends them side by side: what overtakes waits a short while. Each
 * number counts once, so that a post that a browser or a stranger repeats has no effect.
 */
export class Inlet {
  readonly #parts: InletParts;
  /** The number that is due next; unknown before the first. */
  #due: number | undefined;
  /** Numbers below `due` that never came, oldest first. */
  readonly #gaps: Gap[] = [];
  readonly #waiting = new Map<number, readonly string[]>();
  #waitingChars = 0;
  #stopWaiting: (() => void) | undefined;

  constructor(parts: InletParts) {
    this.#parts = parts;
  }

  /** Posts that wait for an earlier one. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** A number was used for something that is no post: a receive request, or a post that was refused. */
  skip(number: number | undefined): void {
    if (number !== undefined) this.put(number, []);
  }

  put(number: number | undefined, messages: readonly string[]): void {
    if (number === undefined) {
      this.#parts.take(messages); // not pusher-js: there is nothing to go by
      return;
    }
    this.#due ??= number;
    if (number < this.#due) {
      if (this.#fill(number)) this.#parts.take(messages);
      return;
    }
    if (this.#waiting.has(number)) return;
    this.#waiting.set(number, messages);
    this.#waitingChars += charsOf(messages);
    this.#goOn();
    while (this.#waitingChars > MAX_WAITING_CHARS) this.#giveUp();
  }

  /** Nothing more is taken. */
  close(): void {
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
    this.#waiting.clear();
    this.#waitingChars = 0;
  }

  #goOn(): void {
    for (;;) {
      const due = this.#due;
      const messages = due === undefined ? undefined : this.#waiting.get(due);
      if (due === undefined || messages === undefined) break;
      this.#waiting.delete(due);
      this.#waitingChars -= charsOf(messages);
      this.#due = due + 1;
      this.#parts.take(messages);
    }
    if (this.#waiting.size === 0) {
      this.#stopWaiting?.();
      this.#stopWaiting = undefined;
      return;
    }
    this.#stopWaiting ??= this.#parts.later(OVERTAKEN_WAIT_MS, () => {
      this.#stopWaiting = undefined;
      this.#giveUp();
    });
  }

  /** What is missing was not for us, or is lost: on with the earliest that is there. */
  #giveUp(): void {
    const earliest = Math.min(...this.#waiting.keys());
    if (this.#due !== undefined && earliest > this.#due)
      this.#gaps.push({ from: this.#due, to: earliest - 1 });
    if (this.#gaps.length > MAX_GAPS) this.#gaps.shift();
    this.#due = earliest;
    this.#goOn();
  }

  /** Whether the number is one that never came; from now on it has. */
  #fill(number: number): boolean {
    const at = this.#gaps.findIndex(({ from, to }) => from <= number && number <= to);
    const gap = this.#gaps[at];
    if (gap === undefined) return false;
    const rest = [
      { from: gap.from, to: number - 1 },
      { from: number + 1, to: gap.to },
    ].filter(({ from, to }) => from <= to);
    this.#gaps.splice(at, 1, ...rest);
    return true;
  }
}

function charsOf(messages: readonly string[]): number {
  return messages.reduce((sum, { length }) => sum + length, 0);
}

/** The number of a request; undefined where it has none. */
export function requestNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
