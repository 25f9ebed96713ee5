import { Signature } from "../load/signature.ts";
import type { Target } from "../load/target.ts";

interface ClientEvents {
  /** After the greeting. */
  connected(client: Client): void;
  subscribed(channel: string): void;
  /** Anything that should not happen. */
  failed(why: string): void;
}

/** One connection with many private channels. */
export class Client {
  readonly #target: Target;
  readonly #signature: Signature;
  readonly #events: ClientEvents;
  readonly #socket: WebSocket;
  #socketId = "";

  constructor(target: Target, index: number, events: ClientEvents) {
    this.#target = target;
    this.#signature = new Signature(target.secret);
    this.#events = events;
    const host = target.hosts[index % target.hosts.length];
    this.#socket = new WebSocket(
      `ws://${host}:${target.port}/app/${target.key}?protocol=7&client=bench&version=1.0`,
    );
    this.#socket.onmessage = ({ data }) => this.#hear(String(data));
    this.#socket.onclose = ({ code, reason }) => events.failed(`a connection was closed: ${code} ${reason}`);
  }

  subscribe(channel: string): void {
    const auth = `${this.#target.key}:${this.#signature.of(`${this.#socketId}:${channel}`)}`;
    this.#socket.send(JSON.stringify({ event: "pusher:subscribe", data: { auth, channel } }));
  }

  unsubscribe(channel: string): void {
    this.#socket.send(JSON.stringify({ event: "pusher:unsubscribe", data: { channel } }));
  }

  #hear(text: string): void {
    const message = JSON.parse(text) as { event: string; channel?: string; data?: string }; // the server under test speaks the protocol
    switch (message.event) {
      case "pusher_internal:subscription_succeeded":
        this.#events.subscribed(message.channel ?? "");
        return;
      case "pusher:connection_established":
        this.#socketId = (JSON.parse(message.data ?? "{}") as { socket_id: string }).socket_id;
        this.#events.connected(this);
        return;
      case "pusher:ping":
        this.#socket.send('{"event":"pusher:pong","data":{}}');
        return;
      default:
        this.#events.failed(text);
    }
  }
}
