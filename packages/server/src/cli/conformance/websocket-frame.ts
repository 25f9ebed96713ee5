/** WebSocket frames (RFC 6455) as a client writes and reads them. */
import { randomBytes } from "node:crypto";
import { Finding } from "./finding.ts";

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const MAX_MESSAGE_BYTES = 64 * 1024 * 1024; // ours: no server of this protocol sends as much

export interface Message {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** One masked frame, as a client must send it. */
export function clientFrame(opcode: number, content: string | Uint8Array): Buffer {
  const payload = Buffer.from(content);
  const mask = randomBytes(4);
  const long = payload.length > 0xffff ? 8 : payload.length > 125 ? 2 : 0;
  const header = Buffer.alloc(2 + long);
  header[0] = 0x80 | opcode;
  header[1] = 0x80 | (long === 8 ? 127 : long === 2 ? 126 : payload.length);
  if (long === 2) header.writeUInt16BE(payload.length, 2);
  if (long === 8) header.writeBigUInt64BE(BigInt(payload.length), 2);
  const masked = payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0));
  return Buffer.concat([header, mask, masked]);
}

/** Puts messages together from the bytes of a server, fragments too. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);
  #fragments: Buffer[] = [];
  #opcode = 0;

  /** @throws Finding where the bytes are no WebSocket frames of a server */
  push(bytes: Uint8Array): Message[] {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    const messages: Message[] = [];
    for (;;) {
      const frame = this.#readFrame();
      if (frame === undefined) return messages;
      const message = this.#assemble(frame);
      if (message !== undefined) messages.push(message);
    }
  }

  #readFrame(): (Message & { isFinal: boolean }) | undefined {
    const pending = this.#pending;
    if (pending.length < 2) return undefined;
    const [head = 0, second = 0] = pending;
    if ((head & 0x70) !== 0) throw new Finding("the server sent a frame with reserved bits set");
    if ((second & 0x80) !== 0) throw new Finding("the server sent a masked frame");
    const header = second === 127 ? 10 : second === 126 ? 4 : 2;
    if (pending.length < header) return undefined;
    const length =
      header === 10 ? Number(pending.readBigUInt64BE(2)) : header === 4 ? pending.readUInt16BE(2) : second;
    if (length > MAX_MESSAGE_BYTES) throw new Finding(`the server announced a frame of ${length} bytes`);
    if (pending.length < header + length) return undefined;
    const payload = Buffer.from(pending.subarray(header, header + length));
    this.#pending = pending.subarray(header + length);
    return { opcode: head & 0x0f, payload, isFinal: (head & 0x80) !== 0 };
  }

  #assemble({ opcode, payload, isFinal }: Message & { isFinal: boolean }): Message | undefined {
    if (opcode >= OPCODE.close) return { opcode, payload };
    if (opcode !== OPCODE.continuation) {
      this.#opcode = opcode;
      this.#fragments = [];
    }
    this.#fragments.push(payload);
    return isFinal ? { opcode: this.#opcode, payload: Buffer.concat(this.#fragments) } : undefined;
  }
}

export interface Closed {
  /** 1005 for a close frame without a code, 1006 where the connection ended without a close frame. */
  readonly code: number;
  readonly reason: string;
}

export function readClose(payload: Buffer): Closed {
  if (payload.length < 2) return { code: 1005, reason: "" };
  return { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
}
