/** One event of a stream in the format of Server-Sent Events. */
export interface StreamEvent {
  /** "message" where the stream names none. */
  readonly event: string;
  readonly data: string;
  /** Undefined where the event has none of its own. */
  readonly id: string | undefined;
}

/**
 * Takes a stream apart, a chunk at a time, wherever the chunks are cut.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export class StreamParser {
  readonly #decoder = new TextDecoder();
  readonly #maxChars: number;
  #rest = "";
  #endedWithCr = false;
  #event = "";
  #data: string[] = [];
  #dataChars = 0;
  #id: string | undefined;

  constructor(maxChars: number) {
    this.#maxChars = maxChars;
  }

  /** The events that this chunk completes. @throws RangeError for one that is longer than `maxChars` */
  push(chunk: Uint8Array): StreamEvent[] {
    let text = this.#decoder.decode(chunk, { stream: true });
    if (this.#endedWithCr && text.startsWith("\n")) text = text.slice(1);
    if (text !== "") this.#endedWithCr = text.endsWith("\r");
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop() ?? "";
    const events = lines.flatMap((line) => this.#line(line) ?? []);
    if (this.#rest.length + this.#dataChars > this.#maxChars) {
      throw new RangeError(`an event of the stream has more than ${this.#maxChars} characters`);
    }
    return events;
  }

  #line(line: string): StreamEvent | undefined {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return undefined; // a comment: a sign of life
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    if (field === "id" && !value.includes("\0")) this.#id = value;
    if (field === "data") {
      this.#data.push(value);
      this.#dataChars += value.length;
    }
    return undefined;
  }

  #dispatch(): StreamEvent | undefined {
    const hasData = this.#data.length > 0;
    const event = { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id };
    this.#event = "";
    this.#data = [];
    this.#dataChars = 0;
    this.#id = undefined;
    return hasData ? event : undefined;
  }
}
