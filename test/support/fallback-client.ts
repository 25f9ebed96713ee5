/** A client of the HTTP fallback that shows every byte: requests as pusher-js makes them, nothing done on its own. */
import type { Earshot } from "./earshot.ts";
import { type Frame, Inbox, parseFrame } from "./frame.ts";
import { authFor, socketIdOf } from "./raw-client.ts";

export interface FallbackOptions {
  /** What stands before `/app/`; the default of pusher-js where left out. */
  readonly base?: string;
  readonly key?: string;
  /** `SERVER/ID`; a new one where left out. */
  readonly session?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A response that stays open. */
export interface Stream {
  readonly status: number;
  readonly headers: Headers;
  /** What has come so far. */
  text(): string;
  /** The frames in it. */
  readonly inbox: Inbox;
  readonly ended: Promise<void>;
  abort(): void;
}

const tls = { rejectUnauthorized: false };
let sessions = 0;

export class FallbackClient {
  readonly #earshot: Earshot;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly session: string;
  socketId = "";
  /** The number of the latest request. */
  number = 0;

  constructor(earshot: Earshot, options: FallbackOptions = {}) {
    const { base = "/pusher", key = earshot.app.key, headers = {} } = options;
    sessions++;
    this.session = options.session ?? `${sessions % 1_000}/${sessions.toString(32).padStart(8, "0")}`;
    this.#earshot = earshot;
    this.#url = `${earshot.url}${base}/app/${key}/${this.session}`;
    this.#headers = headers;
  }

  /** The address of the next request, or of one with a number of its own. */
  url(action: string, number?: number): string {
    if (number === undefined) this.number++;
    const protocol = action === "xhr_send" ? "" : "protocol=7&client=js&version=8.6.0&";
    return `${this.#url}/${action}?${protocol}t=1&n=${number ?? this.number}`;
  }

  post(action: string, body = "", number?: number): Promise<Response> {
    const headers = { "Content-Type": "application/json", ...this.#headers };
    return fetch(this.url(action, number), { method: "POST", body, headers, tls });
  }

  /** One poll, to its end. */
  async poll(): Promise<string> {
    const response = await this.post("xhr");
    if (response.status !== 200) throw new Error(`a poll was answered with ${response.status}`);
    const text = await response.text();
    for (const frame of framesIn(text)) this.#learn(frame);
    return text;
  }

  async stream(): Promise<Stream> {
    const stop = new AbortController();
    const response = await fetch(this.url("xhr_streaming"), {
      method: "POST",
      headers: { "Content-Type": "application/json", ...this.#headers },
      signal: stop.signal,
      tls,
    });
    const inbox = new Inbox();
    let text = "";
    let read = 0;
    const take = async () => {
      try {
        for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
          text += piece;
          const end = text.lastIndexOf("\n") + 1;
          for (const frame of framesIn(text.slice(read, end))) {
            this.#learn(frame);
            inbox.put(frame);
          }
          read = end;
        }
      } catch {
        // it was aborted
      }
      inbox.end("the stream has ended");
    };
    const { status, headers } = response;
    return { status, headers, text: () => text, inbox, ended: take(), abort: () => stop.abort() };
  }

  /** Posts messages and returns the status. */
  async send(messages: readonly (object | string)[], number?: number): Promise<number> {
    const texts = messages.map((each) => (typeof each === "string" ? each : JSON.stringify(each)));
    return (await this.post("xhr_send", JSON.stringify(texts), number)).status;
  }

  /** Signed where the channel needs it. */
  subscribeMessage(channel: string, channelData?: string): object {
    const auth = authFor(this.#earshot, this.socketId, channel, channelData);
    return { event: "pusher:subscribe", data: { channel, auth, channel_data: channelData } };
  }

  #learn(frame: Frame): void {
    if (frame.event === "pusher:connection_established") this.socketId = socketIdOf(frame);
  }
}

/** The protocol's frames in the lines of a response. */
export function framesIn(text: string): Frame[] {
  return text.split("\n").flatMap((line) => {
    if (!line.startsWith("a")) return [];
    const messages: unknown = JSON.parse(line.slice(1));
    if (!Array.isArray(messages)) throw new Error(`not an array: ${line}`);
    return messages.map((message) => parseFrame(String(message)));
  });
}
