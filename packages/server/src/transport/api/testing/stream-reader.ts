/** One event of a stream; a comment has neither name nor data. */
export interface ReadEvent {
  readonly name: string | undefined;
  readonly id: string | undefined;
  // Whatever the test expects it to be.
  readonly data: unknown;
}

/** Reads Server-Sent Events from an answer. */
export class StreamReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #rest = "";
  #hasEnded = false;

  constructor(answer: Response) {
    if (answer.body === null) throw new Error("the answer has no body");
    this.#chunks = answer.body[Symbol.asyncIterator]();
  }

  /** The next events, as many as asked for, or fewer where the stream ends. */
  async take(count: number): Promise<ReadEvent[]> {
    const events: ReadEvent[] = [];
    while (events.length < count) {
      const end = this.#rest.indexOf("\n\n");
      if (end >= 0) {
        events.push(eventOf(this.#rest.slice(0, end)));
        this.#rest = this.#rest.slice(end + 2);
      } else if (this.#hasEnded) break;
      else await this.#read();
    }
    return events;
  }

  /** True where there is nothing more; an event that comes instead is the test's mistake. */
  async hasEnded(): Promise<boolean> {
    return (await this.take(1)).length === 0;
  }

  async cancel(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #read(): Promise<void> {
    const { done, value } = await this.#chunks.next();
    if (done) this.#hasEnded = true;
    else this.#rest += this.#decoder.decode(value, { stream: true });
  }
}

function eventOf(text: string): ReadEvent {
  const fields = new Map(
    text.split("\n").map((line) => {
      const colon = line.indexOf(": ");
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
  );
  const data = fields.get("data");
  return {
    name: fields.get("event"),
    id: fields.get("id"),
    data: data === undefined ? undefined : JSON.parse(data),
  };
}
