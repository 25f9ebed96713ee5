/**
 * A WebSocket client that does nothing on its own: it answers no ping, sends no close frame, and shows control frames
 * among the others as `(ping)`, `(pong)` and `(close)`, with the payload as text in `data`.
 */
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import type { Earshot } from "./earshot.ts";
import { type Frame, Inbox, parseFrame } from "./frame.ts";
import { type Closed, QUERY, type RawOptions } from "./raw-client.ts";

export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const NAMES = new Map([
  [OPCODE.close as number, "(close)"],
  [OPCODE.ping as number, "(ping)"],
  [OPCODE.pong as number, "(pong)"],
]);

export interface TcpClient {
  /** Everything that came, in order, control frames too. */
  readonly frames: Frame[];
  /** Status line and headers of the answer to the upgrade. */
  readonly handshake: string;
  sendText(text: string): void;
  sendFrame(opcode: number, payload?: string | Uint8Array): void;
  /** As the raw client's. */
  next(event: string | ((frame: Frame) => boolean), timeoutMs?: number): Promise<Frame>;
  /** The server's close frame; code 1006 where the connection ended without one. */
  readonly closed: Promise<Closed>;
  /** Goes away without a word. */
  destroy(): void;
}

export interface TcpOptions extends RawOptions {
  /** Text frames that leave in one piece with the request, before the server can have answered. */
  readonly early?: readonly string[];
  /** False stops reading after the answer to the upgrade. */
  readonly reads?: false;
}

/** Connects and waits for the answer to the upgrade. */
export async function connectTcp(earshot: Earshot, options: TcpOptions = {}): Promise<TcpClient> {
  const { path = `/app/${options.key ?? earshot.app.key}`, query = QUERY } = options;
  const socket = connect(earshot.port, earshot.host);
  const inbox = new Inbox();
  const closed = Promise.withResolvers<Closed>();
  const handshake = Promise.withResolvers<string>();
  let pending: Uint8Array<ArrayBufferLike> = new Uint8Array();
  let isOpen = false;

  socket.on("data", (bytes) => {
    pending = joined([pending, typeof bytes === "string" ? Buffer.from(bytes) : bytes]);
    if (!isOpen) {
      const end = Buffer.from(pending).indexOf("\r\n\r\n");
      if (end < 0) return;
      handshake.resolve(Buffer.from(pending.subarray(0, end)).toString());
      pending = pending.subarray(end + 4);
      isOpen = true;
    }
    for (;;) {
      const read = readFrame(pending);
      if (read === undefined) return;
      pending = pending.subarray(read.size);
      inbox.put(shown(read));
      if (read.opcode === OPCODE.close) closed.resolve(closeOf(read.payload));
    }
  });
  socket.on("error", (problem) => handshake.reject(problem));
  socket.on("close", () => {
    inbox.end("the connection has ended");
    handshake.reject(new Error("the connection ended before the upgrade"));
    closed.resolve({ code: 1006, reason: "" });
  });

  const request = [
    `GET ${path}${query === "" ? "" : `?${query}`} HTTP/1.1`,
    `Host: ${earshot.host}:${earshot.port}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    ...Object.entries(options.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    "\r\n",
  ].join("\r\n");
  const early = (options.early ?? []).map((text) => maskedFrame(OPCODE.text, text));
  socket.write(joined([new TextEncoder().encode(request), ...early]));

  const sendFrame = (opcode: number, payload: string | Uint8Array = "") => {
    socket.write(maskedFrame(opcode, payload));
  };
  const answer = await handshake.promise;
  if (options.reads === false) socket.pause();
  return {
    frames: inbox.frames,
    handshake: answer,
    sendText: (text) => sendFrame(OPCODE.text, text),
    sendFrame,
    next: (event, timeoutMs) => inbox.next(event, timeoutMs),
    closed: closed.promise,
    destroy: () => socket.destroy(),
  };
}

interface ReadFrame {
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly size: number;
}

/** The first frame of the bytes, if it is there to its end. The server sends each message as one unmasked frame. */
function readFrame(bytes: Uint8Array): ReadFrame | undefined {
  const [head = 0, lengthByte = 0] = bytes;
  if (bytes.length < 2) return undefined;
  if (lengthByte & 0x80) throw new Error("a server must not mask");
  const header = lengthByte === 126 ? 4 : lengthByte === 127 ? 10 : 2;
  if (bytes.length < header) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const length = header === 4 ? view.getUint16(2) : header === 10 ? Number(view.getBigUint64(2)) : lengthByte;
  if (bytes.length < header + length) return undefined;
  return { opcode: head & 0x0f, payload: bytes.slice(header, header + length), size: header + length };
}

function shown({ opcode, payload }: ReadFrame): Frame {
  const text = new TextDecoder().decode(payload);
  const name = NAMES.get(opcode);
  return name === undefined ? parseFrame(text) : { event: name, data: text, raw: `${name} ${text}` };
}

function closeOf(payload: Uint8Array): Closed {
  const [high = 0, low = 0] = payload;
  const code = payload.length < 2 ? 1005 : high * 256 + low;
  return { code, reason: new TextDecoder().decode(payload.subarray(2)) };
}

function maskedFrame(opcode: number, content: string | Uint8Array): Uint8Array {
  const payload = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const mask = randomBytes(4);
  const header = [0x80 | opcode];
  if (payload.length < 126) header.push(0x80 | payload.length);
  else if (payload.length < 65_536) header.push(0x80 | 126, payload.length >> 8, payload.length & 0xff);
  else header.push(0x80 | 127, 0, 0, 0, 0, ...bigEndian(payload.length));
  const masked = payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0));
  return joined([Uint8Array.from(header), mask, masked]);
}

function bigEndian(value: number): number[] {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
