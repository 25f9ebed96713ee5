import type { SeededChance } from "../../packages/server/src/core/testing/seeded-chance.ts";
import { mutatedBytes } from "./mutate.ts";
import { asBytes } from "./step.ts";

const PING = '{"event":"pusher:ping"}';
const MASK = [0x37, 0xfa, 0x21, 0x3d] as const;

interface Header {
  readonly first?: number;
  /** What the header says, where that is not the length of the payload. */
  readonly length?: number | bigint;
  readonly masked?: boolean;
}

/** One frame of RFC 6455 as a client sends it, with every part open to be made wrong. One character a byte. */
function frame(
  payload: string,
  { first = 0x81, length = payload.length, masked = true }: Header = {},
): string {
  const bit = masked ? 0x80 : 0;
  const size = Buffer.alloc(9);
  let header: Buffer;
  if (typeof length === "bigint" || length > 65_535) {
    size[0] = bit | 127;
    size.writeBigUInt64BE(BigInt(length), 1);
    header = size;
  } else if (length > 125) {
    size[0] = bit | 126;
    size.writeUInt16BE(length, 1);
    header = size.subarray(0, 3);
  } else {
    header = Buffer.from([bit | length]);
  }
  const bytes = Buffer.from(payload, "latin1");
  const sent = masked ? bytes.map((byte, index) => byte ^ (MASK[index % 4] ?? 0)) : bytes;
  return Buffer.concat([Buffer.from([first]), header, Buffer.from(masked ? MASK : []), sent]).toString(
    "latin1",
  );
}

/** Frames that the RFC forbids, and some that it allows but nobody sends. */
const STRANGE: readonly [string, ...string[]] = [
  frame(PING, { masked: false }),
  frame(PING, { first: 0x83 }),
  frame(PING, { first: 0x8b }),
  frame(PING, { first: 0xc1 }),
  frame(PING, { first: 0xf1 }),
  frame(PING, { first: 0x80 }),
  frame(PING, { length: 1_000 }),
  frame(PING, { length: 5 }),
  frame(PING, { length: 0xff_ff_ff_ffn }),
  frame(PING, { length: 0xff_ff_ff_ff_ff_ff_ff_ffn }),
  frame("x".repeat(126), { first: 0x89 }),
  frame("x".repeat(125), { first: 0x89 }) + frame("x", { first: 0x8a }),
  frame("", { first: 0x88 }),
  frame("\u0003", { first: 0x88 }),
  frame("\u0003\u00ed", { first: 0x88 }),
  frame("\u0000\u0000", { first: 0x88 }),
  frame("\u0003\u00e8\u00ff\u00fe", { first: 0x88 }),
  frame("", { first: 0x88 }) + frame(PING),
  frame("\u00ff\u00fe"),
  frame("\u00c3"),
  frame("\u00ed\u00a0\u0080"),
  frame('{"event":', { first: 0x01 }) + frame('"pusher:ping"}', { first: 0x80 }),
  frame('{"event":', { first: 0x01 }) +
    frame("x", { first: 0x89 }) +
    frame('"pusher:ping"}', { first: 0x80 }),
  frame('{"event":', { first: 0x01 }) + frame(PING),
  frame('{"event":', { first: 0x01 }),
  frame("", { first: 0x01 }) + frame("", { first: 0x00 }).repeat(50) + frame(PING, { first: 0x80 }),
  frame(""),
  frame("", { first: 0x82 }),
  frame("\u0000\u0001\u0002", { first: 0x82 }),
  frame("x".repeat(70_000)),
  frame("[".repeat(90_000)),
  frame(PING).repeat(300),
];

/** Bytes for a connection that has become a WebSocket. */
export function websocketBytes(chance: SeededChance): string {
  const bytes = chance.integer(2) === 0 ? chance.pick(STRANGE) : frame(asBytes(PING)) + chance.pick(STRANGE);
  return chance.integer(3) === 0 ? mutatedBytes(chance, bytes) : bytes;
}
