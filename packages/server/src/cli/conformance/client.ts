/** A client of the WebSocket protocol that shows everything and does nothing on its own but answer ping frames. */
import { createHash, randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { Finding, must, shown } from "./finding.ts";
import { controlFrame, type Frame, innerOf, type Match, readFrame } from "./frame.ts";
import { Inbox } from "./inbox.ts";
import { channelAuth } from "./signing.ts";
import { mountPath, openSocket } from "./socket.ts";
import type { Target } from "./target.ts";
import { type Closed, clientFrame, FrameReader, OPCODE, readClose } from "./websocket-frame.ts";

const PROTOCOL_QUERY = "protocol=7&client=js&version=8.6.0&flash=false";

const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, 1.3
const MAX_HEAD_BYTES = 64 * 1024; // ours

export interface ConnectOptions {
  /** `/app/KEY` where left out; behind the path of the target's address. */
  readonly path?: string;
  /** Without question mark. */
  readonly query?: string;
  readonly key?: string;
  /** False leaves ping frames unanswered, as a peer that is gone. */
  readonly answersPings?: false;
  /** Another node than the target's first. */
  readonly url?: URL;
}

/** What a subscribe carries beside the channel; `auth` is made where it is needed and left out. */
export interface SubscribeExtra {
  readonly auth?: unknown;
  readonly channel_data?: unknown;
}

export class Client {
  readonly #target: Target;
  readonly #socket: Socket;
  readonly #inbox = new Inbox();
  readonly #reader = new FrameReader();
  readonly #closed = Promise.withResolvers<Closed>();
  readonly #answersPings: boolean;
  #closing: Closed | undefined;
  #socketId = "";

  private constructor(target: Target, socket: Socket, answersPings: boolean) {
    this.#target = target;
    this.#socket = socket;
    this.#answersPings = answersPings;
  }

  /** Connects and waits for the answer to the upgrade. @throws Finding where that is not a WebSocket */
  static async open(target: Target, options: ConnectOptions = {}): Promise<Client> {
    const url = options.url ?? target.url;
    const { path = `/app/${options.key ?? target.app.key}`, query = PROTOCOL_QUERY } = options;
    const socket = await openSocket(target, url);
    const client = new Client(target, socket, options.answersPings !== false);
    const nonce = randomBytes(16).toString("base64");
    const request = [
      `GET ${mountPath(url)}${path}${query === "" ? "" : `?${query}`} HTTP/1.1`,
      `Host: ${url.host}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${nonce}`,
      "\r\n",
    ].join("\r\n");
    try {
      await client.#upgrade(request, nonce);
    } catch (problem) {
      socket.destroy();
      throw problem;
    }
    return client;
  }

  async #upgrade(request: string, nonce: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let head: Buffer | undefined = Buffer.alloc(0);
    this.#socket.on("data", (bytes: Uint8Array) => {
      if (head === undefined) return this.#take(bytes);
      head = Buffer.concat([head, bytes]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) {
        if (head.length > MAX_HEAD_BYTES) reject(new Finding("the answer to the upgrade never ends"));
        return;
      }
      const rest = head.subarray(end + 4);
      resolve(head.subarray(0, end).toString());
      head = undefined;
      this.#take(rest);
    });
    this.#socket.on("close", () => {
      reject(new Finding("the connection was ended before the answer to the upgrade"));
      this.#end({ code: 1006, reason: "" });
    });
    this.#socket.on("error", (problem: Error) => reject(new Finding(problem.message)));
    const { answerMs } = this.#target;
    const timer = setTimeout(
      () => reject(new Finding(`the upgrade was not answered within ${answerMs / 1_000} s`)),
      answerMs,
    );
    this.#socket.write(request);
    try {
      checkUpgrade(await promise, nonce);
    } finally {
      clearTimeout(timer);
    }
  }

  #take(bytes: Uint8Array): void {
    try {
      for (const { opcode, payload } of this.#reader.push(bytes)) this.#message(opcode, payload);
    } catch (problem) {
      // What follows cannot be read.
      this.#inbox.end(problem instanceof Finding ? problem.message : String(problem));
      this.destroy();
    }
  }

  #message(opcode: number, payload: Buffer): void {
    if (this.#closing !== undefined) return;
    if (opcode === OPCODE.text) this.#inbox.put(readFrame(payload.toString()));
    else if (opcode === OPCODE.ping) {
      if (this.#answersPings) this.sendFrame(OPCODE.pong, payload);
      this.#inbox.put(controlFrame("(ping)", payload.toString()));
    } else if (opcode === OPCODE.pong) this.#inbox.put(controlFrame("(pong)", payload.toString()));
    else if (opcode === OPCODE.close) {
      const closed = readClose(payload);
      this.#inbox.put(controlFrame("(close)", `${closed.code} ${closed.reason}`));
      this.sendFrame(OPCODE.close, payload.subarray(0, 2));
      this.#end(closed);
      this.#socket.end();
    } else this.#inbox.put(controlFrame("(binary)", `${payload.length} bytes`));
  }

  #end(closed: Closed): void {
    this.#closing ??= closed;
    this.#closed.resolve(this.#closing);
    const { code, reason } = this.#closing;
    this.#inbox.end(
      code === 1006
        ? "the connection was ended without a close frame"
        : `the connection was closed with ${code} ${shown(reason)}`,
    );
  }

  /** Everything that came, in order, frames of the WebSocket itself too. */
  get frames(): readonly Frame[] {
    return this.#inbox.frames;
  }

  /** How the server closed the connection, where it has. */
  get closing(): Closed | undefined {
    return this.#closing;
  }

  /** Of the welcome; empty before it. */
  get socketId(): string {
    return this.#socketId;
  }

  /** Waits for the welcome and reads the socket id. @throws Finding where something else comes first */
  async welcome(): Promise<Frame> {
    const first = await this.next(() => true, "a first frame");
    must(
      first.event === "pusher:connection_established",
      () => `the first frame is not pusher:connection_established but ${shown(first.raw)}`,
    );
    const { socket_id } = innerOf(first);
    must(typeof socket_id === "string", () => `socket_id is not a string: ${shown(first.raw)}`);
    this.#socketId = socket_id;
    return first;
  }

  /** Objects are written as JSON. */
  send(message: object | string): void {
    this.sendFrame(OPCODE.text, typeof message === "string" ? message : JSON.stringify(message));
  }

  sendFrame(opcode: number, content: string | Uint8Array = ""): void {
    if (!this.#socket.destroyed && this.#socket.writable) this.#socket.write(clientFrame(opcode, content));
  }

  /** @param what for the finding, where it does not come */
  next(match: Match, what?: string, timeoutMs?: number, from?: number): Promise<Frame> {
    const called = what ?? (typeof match === "string" ? match : "a certain frame");
    return this.#inbox.next(match, called, timeoutMs ?? this.#target.answerMs, from);
  }

  /** The server answers, so everything that it sent before has arrived. @throws Finding where it does not */
  async settled(): Promise<void> {
    const from = this.frames.length;
    this.send({ event: "pusher:ping", data: {} });
    await this.next("pusher:pong", "pusher:pong", undefined, from);
  }

  authFor(channel: string, channelData?: string): string {
    return channelAuth(this.#target.app, this.#socketId, channel, channelData);
  }

  /** Subscribes and returns the first frame that answers it: success, error, or the close of the connection. */
  async subscribe(channel: string, extra: SubscribeExtra = {}): Promise<Frame> {
    const from = this.frames.length;
    const { channel_data } = extra;
    const needsAuth = /^(private|presence)-/.test(channel) && !("auth" in extra);
    const auth = needsAuth
      ? { auth: this.authFor(channel, typeof channel_data === "string" ? channel_data : undefined) }
      : {};
    this.send({ event: "pusher:subscribe", data: { channel, ...auth, ...extra } });
    const answer = (frame: Frame) => isAnswer(frame, channel);
    return await this.next(answer, `an answer to the subscribe to ${channel}`, undefined, from);
  }

  /** Subscribes. @throws Finding where that is refused */
  async join(channel: string, extra?: SubscribeExtra): Promise<Frame> {
    const answer = await this.subscribe(channel, extra);
    must(
      answer.event === "pusher_internal:subscription_succeeded",
      () => `the subscribe to ${channel} was answered by ${shown(answer.raw)}`,
    );
    return answer;
  }

  leave(channel: string): void {
    this.send({ event: "pusher:unsubscribe", data: { channel } });
  }

  /** Frames of one channel, in order. */
  of(channel: string): Frame[] {
    return this.frames.filter((frame) => frame.channel === channel);
  }

  /** The close frame, or its absence. @throws Finding where the connection stays open */
  async closed(timeoutMs = this.#target.answerMs): Promise<Closed> {
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), timeoutMs);
    const closed = await Promise.race([this.#closed.promise, late.promise]);
    clearTimeout(timer);
    if (closed === undefined)
      throw new Finding(`the connection was not closed within ${timeoutMs / 1_000} s`);
    return closed;
  }

  /** Goes away without a word. */
  destroy(): void {
    this.#socket.destroy();
    this.#end({ code: 1006, reason: "" });
  }
}

function checkUpgrade(head: string, nonce: string): void {
  const [statusLine = "", ...lines] = head.split("\r\n");
  must(/^HTTP\/1\.1 101\b/.test(statusLine), () => `the upgrade was answered with ${shown(statusLine)}`);
  const accept = lines.find((line) => /^sec-websocket-accept:/i.test(line));
  const expected = createHash("sha1").update(`${nonce}${ACCEPT_GUID}`).digest("base64");
  must(
    accept?.slice(accept.indexOf(":") + 1).trim() === expected,
    "the upgrade's Sec-WebSocket-Accept is wrong",
  );
}

function isAnswer(frame: Frame, channel: string): boolean {
  if (frame.event === "pusher:error") return true;
  if (frame.channel !== channel) return false;
  return (
    frame.event === "pusher_internal:subscription_succeeded" ||
    frame.event === "pusher:subscription_error" ||
    frame.event === "pusher_internal:subscription_error"
  );
}
