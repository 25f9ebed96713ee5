/** One frame of the server, as a test looks at it. */
export interface Frame {
  readonly event: string;
  readonly channel?: string;
  readonly data?: unknown;
  readonly user_id?: unknown;
  /** The text as it came over the wire. */
  readonly raw: string;
}

/** @throws where the text is not a frame: the server never sends such a thing */
export function parseFrame(raw: string): Frame {
  const value: unknown = JSON.parse(raw);
  if (typeof value !== "object" || value === null || !("event" in value) || typeof value.event !== "string") {
    throw new Error(`not a frame: ${raw}`);
  }
  return { ...value, event: value.event, raw };
}

/** What the string `data` of a frame holds. @throws where it is no string of JSON */
export function dataOf(frame: Frame): unknown {
  if (typeof frame.data !== "string") throw new Error(`data is not a string: ${frame.raw}`);
  return JSON.parse(frame.data);
}

type Match = string | ((frame: Frame) => boolean);

const NEXT_MS = 5_000;

/** What has arrived, and those who wait for more. A frame is handed out by `next` once. */
export class Inbox {
  readonly frames: Frame[] = [];
  readonly #taken = new Set<Frame>();
  #waiting: {
    matches: (frame: Frame) => boolean;
    resolve: (frame: Frame) => void;
    reject: (why: Error) => void;
  }[] = [];
  #end: Error | undefined;

  put(frame: Frame): void {
    this.frames.push(frame);
    const at = this.#waiting.findIndex(({ matches }) => matches(frame));
    const [waiter] = at < 0 ? [] : this.#waiting.splice(at, 1);
    if (waiter === undefined) return;
    this.#taken.add(frame);
    waiter.resolve(frame);
  }

  /** Nothing more will come. */
  end(why: string): void {
    this.#end = new Error(why);
    for (const { reject } of this.#waiting.splice(0)) reject(this.#end);
  }

  /** The first frame that matches and was not handed out before; waits for it if need be. */
  async next(match: Match, timeoutMs = NEXT_MS, from = 0): Promise<Frame> {
    const matches = typeof match === "string" ? (frame: Frame) => frame.event === match : match;
    const there = this.frames.slice(from).find((frame) => !this.#taken.has(frame) && matches(frame));
    if (there !== undefined) {
      this.#taken.add(there);
      return there;
    }
    if (this.#end !== undefined) throw this.#end;
    const { promise, resolve, reject } = Promise.withResolvers<Frame>();
    const waiter = { matches, resolve, reject };
    this.#waiting.push(waiter);
    const timer = setTimeout(() => {
      this.#waiting = this.#waiting.filter((other) => other !== waiter);
      const what = typeof match === "string" ? match : "a certain frame";
      const seen = this.frames.map(({ raw }) => `  ${raw}`).join("\n");
      reject(new Error(`waited ${timeoutMs} ms in vain for ${what}; there came\n${seen}`));
    }, timeoutMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }
}
