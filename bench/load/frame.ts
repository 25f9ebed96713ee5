/**
 * The head of a WebSocket frame, read in place: no object is made, because the bench reads millions of them.
 *
 * A server's frames are not masked, so a head is 2, 4 or 10 bytes.
 */
export const TEXT = 0x1;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

const OPCODE_BITS = 0x0f;
const LENGTH_BITS = 0x7f;
const LENGTH_IN_16_BITS = 126;
const MASKED = 0x80;
const FINAL = 0x80;
const MASK_BYTES = 4;

export function opcodeAt(bytes: Uint8Array, at: number): number {
  return byteAt(bytes, at) & OPCODE_BITS;
}

/** Length of the head that starts at `at`, or 0 when it does not lie whole within `bytes`. */
export function headBytesAt(bytes: Uint8Array, at: number): number {
  const available = bytes.length - at;
  if (available < 2) return 0;
  const length = byteAt(bytes, at + 1) & LENGTH_BITS;
  const headBytes = length < LENGTH_IN_16_BITS ? 2 : length === LENGTH_IN_16_BITS ? 4 : 10;
  return available < headBytes ? 0 : headBytes;
}

/** Length of the payload behind a head that lies whole within `bytes`. */
export function payloadBytesAt(bytes: Uint8Array, at: number): number {
  const length = byteAt(bytes, at + 1) & LENGTH_BITS;
  if (length < LENGTH_IN_16_BITS) return length;
  if (length === LENGTH_IN_16_BITS) return byteAt(bytes, at + 2) * 256 + byteAt(bytes, at + 3);
  let payloadBytes = 0;
  for (let i = at + 2; i < at + 10; i++) payloadBytes = payloadBytes * 256 + byteAt(bytes, i);
  return payloadBytes;
}

/** One masked frame as a client sends it. */
export function clientFrame(opcode: number, text: string, mask: Uint8Array): Uint8Array {
  const payload = new TextEncoder().encode(text);
  const length = payload.length;
  if (length > 0xffff)
    throw new RangeError(`a client frame of the bench carries at most 65535 bytes, not ${length}`);
  const short = length < LENGTH_IN_16_BITS;
  const frame = new Uint8Array((short ? 2 : 4) + MASK_BYTES + length);
  frame[0] = FINAL | opcode;
  frame[1] = MASKED | (short ? length : LENGTH_IN_16_BITS);
  if (!short) {
    frame[2] = length >> 8;
    frame[3] = length & 0xff;
  }
  const maskAt = short ? 2 : 4;
  frame.set(mask.subarray(0, MASK_BYTES), maskAt);
  for (let i = 0; i < length; i++) {
    frame[maskAt + MASK_BYTES + i] = byteAt(payload, i) ^ byteAt(mask, i % MASK_BYTES);
  }
  return frame;
}

export function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}
