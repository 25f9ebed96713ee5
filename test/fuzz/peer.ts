import { DEFAULT_LIMITS } from "@earshot/protocol/limits";
import { type KeyPair, signChannel } from "@earshot/protocol/signature";
import { digest } from "../support/digest.ts";
import { BROADCASTS, documentedAnswers, explains, judgeFrame } from "./frame-judge.ts";

const MAX_WAIT_MS = 10_000;

/** A client that keeps what it sent and what it got. */
export class Peer {
  readonly socket: WebSocket;
  readonly pair: KeyPair;
  readonly frames: string[] = [];
  readonly texts: string[] = [];
  socketId = "";
  #settles = 0;
  #changed: () => void = () => undefined;

  private constructor(socket: WebSocket, pair: KeyPair) {
    this.socket = socket;
    this.pair = pair;
    socket.addEventListener("message", ({ data }) => {
      this.frames.push(String(data));
      this.#changed();
    });
    socket.addEventListener("close", () => this.#changed());
  }

  static async connect(port: number, pair: KeyPair): Promise<Peer> {
    const peer = new Peer(new WebSocket(`ws://127.0.0.1:${port}/app/${pair.key}?protocol=7`), pair);
    await peer.waitFor("the server's welcome", () => peer.frames.length > 0);
    const { data } = JSON.parse(peer.frames.shift() ?? "{}") as { data: string };
    peer.socketId = (JSON.parse(data) as { socket_id: string }).socket_id;
    return peer;
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  subscribe(channel: string): void {
    const data = channel.startsWith("presence-") ? '{"user_id":"watcher"}' : undefined;
    const auth = signChannel(digest, this.pair, this.socketId, channel, data);
    this.send(JSON.stringify({ event: "pusher:subscribe", data: { channel, auth, channel_data: data } }));
  }

  /** A text as UTF-8 can carry it. */
  send(text: string): void {
    this.texts.push(text.toWellFormed());
    this.socket.send(text.toWellFormed());
  }

  /** Waits until everything is answered that was sent. */
  async settle(): Promise<void> {
    const event = `settled:${this.#settles++}`;
    this.send(JSON.stringify({ event }));
    const mark = `Unsupported event received on socket:'${event}'`;
    await this.waitFor(
      "the last answer",
      () => !this.isOpen || this.frames.some((frame) => frame.includes(mark)),
    );
  }

  /** Looks again at each frame that comes. */
  async waitFor(what: string, isSo: () => boolean): Promise<void> {
    const timer = Promise.withResolvers<never>();
    const timeout = setTimeout(() => timer.reject(new Error(`waited in vain: ${what}`)), MAX_WAIT_MS);
    try {
      while (!isSo()) {
        const change = new Promise<void>((resolve) => {
          this.#changed = resolve;
        });
        await Promise.race([change, timer.promise]);
      }
    } finally {
      clearTimeout(timeout);
    }
  }

  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.socket.addEventListener("close", () => resolve()));
    this.socket.close();
    return closed;
  }
}

/** @throws where the frames are not the answers to what the client has sent, in their order; begins anew after that */
export function checkAnswers(peer: Peer): void {
  const sent = peer.texts.splice(0);
  const expected = sent.map((text) =>
    documentedAnswers(text, DEFAULT_LIMITS.maxFrameBytes).filter((answer) => !answer.includes("remembered")),
  );
  const tokens = peer.frames
    .splice(0)
    .map((frame) => judgeFrame(frame).token)
    .filter((token) => !BROADCASTS.has(token) && token !== "error:frameBinary");
  if (explains(expected, tokens)) return;
  throw new Error(`the client sent ${JSON.stringify(sent).slice(0, 3_000)} and got ${tokens.join(", ")}`);
}
