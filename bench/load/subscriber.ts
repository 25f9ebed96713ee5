import type { Socket } from "bun";
import { CLOSE, clientFrame, joined, PING, PONG, TEXT } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import type { Signature } from "./signature.ts";
import type { Target } from "./target.ts";

/** What reads the frames of a connection once it is subscribed. */
export interface Inbox {
  receive(chunk: Uint8Array): void;
}

/** What a subscriber tells the crowd that it belongs to. */
export interface SubscriberEvents {
  listening(subscriber: Subscriber): void;
  failed(subscriber: Subscriber, why: string): void;
  /** It was listening, and the server ended the connection. */
  lost(subscriber: Subscriber, why: string): void;
}

type Stage =
  | { readonly stage: "upgrading"; head: Uint8Array }
  | { readonly stage: "greeting"; readonly reader: FrameReader }
  | { readonly stage: "listening"; readonly inbox: Inbox }
  | { readonly stage: "closed" };

const HEAD_END = "\r\n\r\n";
const utf8 = new TextDecoder();

/** One client: TCP, upgrade, greeting, one subscription, then everything goes to its inbox. */
export class Subscriber {
  readonly channel: string;
  readonly #target: Target;
  readonly #signature: Signature;
  readonly #events: SubscriberEvents;
  readonly #newInbox: (subscriber: Subscriber) => Inbox;
  #socket: Socket<Subscriber> | undefined;
  #stage: Stage = { stage: "upgrading", head: new Uint8Array(0) };
  #closeReason = "connection closed";

  constructor(parts: {
    target: Target;
    signature: Signature;
    channel: string;
    events: SubscriberEvents;
    newInbox: (subscriber: Subscriber) => Inbox;
  }) {
    this.channel = parts.channel;
    this.#target = parts.target;
    this.#signature = parts.signature;
    this.#events = parts.events;
    this.#newInbox = parts.newInbox;
  }

  opened(socket: Socket<Subscriber>): void {
    this.#socket = socket;
    const webSocketKey = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64");
    socket.write(
      `GET /app/${this.#target.key}?protocol=7&client=js&version=8.6.0&flash=false HTTP/1.1\r\n` +
        `Host: ${this.#target.hosts[0]}:${this.#target.port}\r\n` +
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
        `Sec-WebSocket-Key: ${webSocketKey}\r\n\r\n`,
    );
  }

  received(chunk: Uint8Array): void {
    const current = this.#stage;
    if (current.stage === "listening") current.inbox.receive(chunk);
    else if (current.stage === "greeting") this.#greet(current.reader, chunk);
    else if (current.stage === "upgrading") this.#upgrade(joined(current.head, chunk));
  }

  ended(): void {
    this.#end(this.#closeReason);
  }

  unreachable(why: string): void {
    this.#end(why);
  }

  /** Leaves without telling anybody. */
  leave(): void {
    this.#stage = { stage: "closed" };
    this.#socket?.terminate();
  }

  /** Answers to what a server may send between events; text frames never come here. */
  control(opcode: number): void {
    if (opcode === PING) this.#send(PONG, "");
    if (opcode === CLOSE) this.#closeReason = "closed by the server";
  }

  #upgrade(head: Uint8Array): void {
    const text = Buffer.from(head).toString("latin1");
    const end = text.indexOf(HEAD_END);
    if (end < 0) {
      this.#stage = { stage: "upgrading", head };
      return;
    }
    if (!text.startsWith("HTTP/1.1 101")) {
      this.#end(`upgrade refused: ${text.slice(0, text.indexOf("\r\n"))}`);
      return;
    }
    const reader = new FrameReader((opcode, bytes, start, frameEnd) =>
      this.#greeted(opcode, bytes, start, frameEnd),
    );
    this.#stage = { stage: "greeting", reader };
    this.#greet(reader, head.subarray(end + HEAD_END.length));
  }

  #greet(reader: FrameReader, chunk: Uint8Array): void {
    reader.receive(chunk);
    const rest = reader.takeRest();
    if (rest !== undefined) this.received(rest); // by now perhaps for the inbox
  }

  #greeted(opcode: number, bytes: Uint8Array, start: number, end: number): void {
    if (opcode === CLOSE) {
      this.#closeReason = `closed by the server: ${utf8.decode(bytes.subarray(start + 2, end))}`;
    }
    if (opcode !== TEXT) {
      this.control(opcode);
      return;
    }
    const text = utf8.decode(bytes.subarray(start, end));
    const message = JSON.parse(text) as { event: string; data: unknown }; // the server under test speaks the protocol
    if (message.event === "pusher:connection_established") this.#subscribe(String(message.data));
    else if (message.event === "pusher_internal:subscription_succeeded") this.#listen();
    else if (message.event.endsWith("error")) this.#end(text);
  }

  #subscribe(data: string): void {
    const { socket_id: socketId } = JSON.parse(data) as { socket_id: string };
    const auth = this.channel.startsWith("private-")
      ? `${this.#target.key}:${this.#signature.of(`${socketId}:${this.channel}`)}`
      : "";
    this.#send(TEXT, JSON.stringify({ event: "pusher:subscribe", data: { auth, channel: this.channel } }));
  }

  #listen(): void {
    this.#stage = { stage: "listening", inbox: this.#newInbox(this) };
    this.#events.listening(this);
  }

  #send(opcode: number, text: string): void {
    this.#socket?.write(clientFrame(opcode, text, crypto.getRandomValues(new Uint8Array(4))));
  }

  #end(why: string): void {
    const was = this.#stage.stage;
    if (was === "closed") return;
    this.leave();
    if (was === "listening") this.#events.lost(this, why);
    else this.#events.failed(this, why);
  }
}
