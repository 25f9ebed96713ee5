/** A client that shows every byte: frames as they come, nothing answered or repeated on its own. */
import { signChannel } from "@earshot/protocol/signature";
import { digest } from "./digest.ts";
import type { Earshot } from "./earshot.ts";
import { dataOf, type Frame, Inbox, parseFrame } from "./frame.ts";

export { dataOf, type Frame } from "./frame.ts";

export interface RawOptions {
  /** `/app/KEY` where left out. */
  readonly path?: string;
  /** Without question mark; `protocol=7&client=test&version=1` where left out. */
  readonly query?: string;
  /** The key of the server's first app where left out. */
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Subscribe {
  readonly auth?: unknown;
  readonly channel_data?: unknown;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export interface RawClient {
  /** Everything that came, in order. */
  readonly frames: Frame[];
  /** Empty where the connection was refused. */
  readonly socketId: string;
  /** Objects are written as JSON, bytes leave as a binary message. */
  send(message: object | string | Uint8Array): void;
  /** The first frame that matches and that `next` has not handed out before; waits for it if need be. */
  next(event: string | ((frame: Frame) => boolean), timeoutMs?: number): Promise<Frame>;
  /** Everything that the server sent before this call has arrived. */
  settled(): Promise<void>;
  /**
   * Subscribes and returns the answer: `subscription_succeeded`, or the `pusher:error` of a refusal. Where the channel
   * needs a signature and none is given, it is made with the app's key.
   */
  subscribe(channel: string, extra?: Subscribe): Promise<Frame>;
  readonly closed: Promise<Closed>;
  close(): void;
  /** Ends the connection without a word. */
  kill(): void;
}

export const QUERY = "protocol=7&client=test&version=1";

/** Connects and waits for the first frame, whatever it is. */
export async function connectRaw(earshot: Earshot, options: RawOptions = {}): Promise<RawClient> {
  const { path = `/app/${options.key ?? earshot.app.key}`, query = QUERY, headers = {} } = options;
  const url = `${earshot.url.replace(/^http/, "ws")}${path}${query === "" ? "" : `?${query}`}`;
  const socket = new WebSocket(url, { headers: { ...headers }, tls: { rejectUnauthorized: false } });
  const inbox = new Inbox();
  const { promise: closed, resolve } = Promise.withResolvers<Closed>();
  socket.addEventListener("message", ({ data }) => inbox.put(parseFrame(String(data))));
  socket.addEventListener("close", ({ code, reason }) => {
    inbox.end(`the connection was closed: ${code} ${reason}`);
    resolve({ code, reason });
  });
  const first = await inbox.next(() => true);
  const socketId = first.event === "pusher:connection_established" ? socketIdOf(first) : "";

  const client: RawClient = {
    frames: inbox.frames,
    socketId,
    send: (message) => {
      if (typeof message === "string") socket.send(message);
      else if (message instanceof Uint8Array) socket.send(new Uint8Array(message));
      else socket.send(JSON.stringify(message));
    },
    next: (event, timeoutMs) => inbox.next(event, timeoutMs),
    settled: async () => {
      const from = inbox.frames.length;
      client.send({ event: "pusher:ping", data: {} });
      await inbox.next("pusher:pong", undefined, from);
    },
    subscribe: async (channel, extra = {}) => {
      const from = inbox.frames.length;
      const auth = "auth" in extra ? {} : signed(earshot, socketId, channel, extra.channel_data);
      client.send({ event: "pusher:subscribe", data: { channel, ...auth, ...extra } });
      return await inbox.next((frame) => isAnswer(frame, channel), undefined, from);
    },
    closed,
    close: () => socket.close(),
    kill: () => socket.terminate(),
  };
  return client;
}

/** Reads the socket id of a welcome. */
export function socketIdOf(welcome: Frame): string {
  const data = dataOf(welcome);
  if (typeof data === "object" && data !== null && "socket_id" in data) return String(data.socket_id);
  throw new Error(`no socket_id: ${welcome.raw}`);
}

/** The `auth` that the application's back-end would give. */
export function authFor(earshot: Earshot, socketId: string, channel: string, channelData?: string): string {
  return signChannel(digest, earshot.app, socketId, channel, channelData);
}

function signed(
  earshot: Earshot,
  socketId: string,
  channel: string,
  channelData: unknown,
): { auth?: string } {
  if (!/^(private|presence)-/.test(channel)) return {};
  return {
    auth: authFor(earshot, socketId, channel, typeof channelData === "string" ? channelData : undefined),
  };
}

function isAnswer(frame: Frame, channel: string): boolean {
  if (frame.event === "pusher:error") return true;
  return frame.event === "pusher_internal:subscription_succeeded" && frame.channel === channel;
}
