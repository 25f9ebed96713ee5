import { Signature } from "../load/signature.ts";
import type { Target } from "../load/target.ts";
import { unixMs } from "../unix-clock.ts";
import type { Session } from "./judgement.ts";
import { channelName, type Tick } from "./tick-schedule.ts";

/** One page: a connection, one private channel, and what came on it. */
export class Viewer {
  readonly #target: Target;
  readonly #channel: number;
  readonly #socket: WebSocket;
  readonly #arrivals: { seq: number; atMs: number }[] = [];
  #subscribedMs: number | undefined;
  #leftMs: number | undefined;
  /** Why it could not watch to its end. */
  failure: string | undefined;

  constructor(target: Target, channel: number) {
    this.#target = target;
    this.#channel = channel;
    const query = "protocol=7&client=bench&version=1.0";
    this.#socket = new WebSocket(`ws://${target.hosts[0]}:${target.port}/app/${target.key}?${query}`);
    this.#socket.onmessage = ({ data }) => this.#hear(String(data));
    this.#socket.onclose = ({ code, reason }) => {
      if (this.#leftMs === undefined) this.#fail(`closed: ${code} ${reason}`);
    };
  }

  get channel(): number {
    return this.#channel;
  }

  get isWatching(): boolean {
    return this.#subscribedMs !== undefined && this.#leftMs === undefined;
  }

  /** As a page that is closed. */
  leave(): void {
    this.#leftMs ??= unixMs();
    this.#socket.close();
  }

  /** @returns undefined for one who never got to watch */
  session(): Session | undefined {
    if (this.#subscribedMs === undefined || this.#leftMs === undefined) return undefined;
    return {
      channel: this.#channel,
      subscribedMs: this.#subscribedMs,
      leftMs: this.#leftMs,
      arrivals: this.#arrivals,
    };
  }

  #hear(text: string): void {
    const message = JSON.parse(text) as { event: string; data?: string }; // the server under test speaks the protocol
    const data = () => JSON.parse(message.data ?? "{}") as Partial<Tick> & { socket_id?: string };
    switch (message.event) {
      case "encoding-progress":
        this.#arrivals.push({ seq: data().seq ?? -1, atMs: unixMs() });
        return;
      case "pusher_internal:subscription_succeeded":
        this.#subscribedMs = unixMs();
        return;
      case "pusher:connection_established":
        this.#subscribe(data().socket_id ?? "");
        return;
      case "pusher:ping":
        this.#socket.send('{"event":"pusher:pong","data":{}}');
        return;
      default:
        this.#fail(text);
    }
  }

  #subscribe(socketId: string): void {
    const channel = channelName(this.#channel);
    const auth = `${this.#target.key}:${new Signature(this.#target.secret).of(`${socketId}:${channel}`)}`;
    this.#socket.send(JSON.stringify({ event: "pusher:subscribe", data: { auth, channel } }));
  }

  #fail(why: string): void {
    this.failure ??= why;
    this.leave();
  }
}
