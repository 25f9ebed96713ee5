import { describe, expect, test } from "bun:test";
import { clientFrame, headBytesAt, opcodeAt, PING, payloadBytesAt, TEXT } from "./frame.ts";
import { FrameCounter } from "./frame-counter.ts";
import { FrameReader } from "./frame-reader.ts";

/** A frame as a server sends it: final, not masked. */
function serverFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const length = payload.length;
  const head =
    length < 126
      ? [length]
      : length < 65536
        ? [126, length >> 8, length & 255]
        : [127, 0, 0, 0, 0, 0, (length >> 16) & 255, (length >> 8) & 255, length & 255];
  return new Uint8Array([0x80 | opcode, ...head, ...payload]);
}

const sizes = [0, 1, 125, 126, 127, 300, 65535, 65536, 70000];
const stream = new Uint8Array(
  sizes.flatMap((size) => [
    ...serverFrame(TEXT, new Uint8Array(size).fill(0x81)), // payload bytes that look like heads
    ...serverFrame(PING, new Uint8Array(3)),
  ]),
);

function chunks(bytes: Uint8Array, size: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(bytes.slice(at, at + size));
  return parts;
}

describe("frame head", () => {
  test("reads 81 05: a text frame of 5 bytes behind a head of 2", () => {
    const bytes = new Uint8Array([0x81, 0x05]);
    expect([opcodeAt(bytes, 0), headBytesAt(bytes, 0), payloadBytesAt(bytes, 0)]).toEqual([TEXT, 2, 5]);
  });

  test("reads 81 7e 01 2c: 300 bytes behind a head of 4", () => {
    const bytes = new Uint8Array([0x81, 0x7e, 0x01, 0x2c]);
    expect([headBytesAt(bytes, 0), payloadBytesAt(bytes, 0)]).toEqual([4, 300]);
  });

  test("reads a length of 64 bits", () => {
    const bytes = new Uint8Array([0x81, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    expect([headBytesAt(bytes, 0), payloadBytesAt(bytes, 0)]).toEqual([10, 65536]);
  });

  test("answers 0 for a head that is cut", () => {
    expect(headBytesAt(new Uint8Array([0x81]), 0)).toBe(0);
    expect(headBytesAt(new Uint8Array([0x81, 0x7e, 0x01]), 0)).toBe(0);
    expect(headBytesAt(new Uint8Array([0x81, 0x7f, 0, 0, 0, 0, 0, 1, 0]), 0)).toBe(0);
  });

  test("masks what a client sends: 81 82 mask, h^1 i^2", () => {
    expect([...clientFrame(TEXT, "hi", new Uint8Array([1, 2, 3, 4]))]).toEqual([
      0x81,
      0x82,
      1,
      2,
      3,
      4,
      0x68 ^ 1,
      0x69 ^ 2,
    ]);
    expect([...clientFrame(TEXT, "x".repeat(200), new Uint8Array(4)).subarray(0, 4)]).toEqual([
      0x81, 0xfe, 0, 200,
    ]);
  });
});

describe("frame counter", () => {
  for (const size of [1, 2, 3, 5, 7, 64, 127, 1000, 65536, stream.length]) {
    test(`counts the same frames in chunks of ${size} bytes`, () => {
      const controls: number[] = [];
      const counter = new FrameCounter((opcode) => controls.push(opcode));
      let frames = 0;
      for (const chunk of chunks(stream, size)) frames += counter.receive(chunk);
      expect(frames).toBe(sizes.length);
      expect(controls).toEqual(sizes.map(() => PING));
    });
  }

  test("does not count a frame before its last byte", () => {
    const counter = new FrameCounter(() => undefined);
    const frame = serverFrame(TEXT, new Uint8Array(10));
    expect(counter.receive(frame.slice(0, 11))).toBe(0);
    expect(counter.receive(frame.slice(11))).toBe(1);
  });
});

describe("frame reader", () => {
  test("hands over whole frames byte by byte", () => {
    const seen: number[] = [];
    const reader = new FrameReader((_opcode, _bytes, start, end) => seen.push(end - start));
    const small = new Uint8Array([
      ...serverFrame(TEXT, new Uint8Array(5)),
      ...serverFrame(TEXT, new Uint8Array(300)),
    ]);
    for (const chunk of chunks(small, 1)) reader.receive(chunk);
    expect(seen).toEqual([5, 300]);
  });

  for (const size of [64, 1000, 65536, stream.length]) {
    test(`hands over whole frames from chunks of ${size} bytes`, () => {
      const seen: number[] = [];
      const reader = new FrameReader((opcode, _bytes, start, end) => {
        if (opcode === TEXT) seen.push(end - start);
      });
      for (const chunk of chunks(stream, size)) reader.receive(chunk);
      expect(seen).toEqual(sizes);
      expect(reader.takeRest()).toBeUndefined();
    });
  }

  test("gives the rest of a cut frame to the reader that takes over", () => {
    const reader = new FrameReader(() => undefined);
    reader.receive(serverFrame(TEXT, new Uint8Array(10)).slice(0, 5));
    expect(reader.takeRest()?.length).toBe(5);
  });
});
