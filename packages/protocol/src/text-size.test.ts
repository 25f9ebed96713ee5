import { expect, test } from "bun:test";
import fc from "fast-check";
import { bytesOver } from "./text-size.ts";

test("counts UTF-8 bytes, not characters", () => {
  expect(bytesOver("ä".repeat(5), 10)).toBeUndefined();
  expect(bytesOver("ä".repeat(5), 9)).toBe(10);
  expect(bytesOver("😀", 4)).toBeUndefined();
  expect(bytesOver("😀", 3)).toBe(4);
  expect(bytesOver("", 0)).toBeUndefined();
});

test("counts a lone surrogate as the three bytes that it becomes", () => {
  expect(bytesOver("\ud800", 3)).toBeUndefined();
  expect(bytesOver("\ud800", 2)).toBe(3);
});

test("agrees with the encoder about what is over, and never claims more than there is", () => {
  const anyText = fc.string({ unit: fc.oneof(fc.constantFrom("a", "ä", "€", "😀", "\udfff"), fc.string()) });
  fc.assert(
    fc.property(anyText, fc.nat(200), (text, maxBytes) => {
      const actual = Buffer.byteLength(text);
      const over = bytesOver(text, maxBytes);
      expect(over !== undefined).toBe(actual > maxBytes);
      if (over !== undefined) {
        expect(over).toBeGreaterThan(maxBytes);
        expect(over).toBeLessThanOrEqual(actual);
      }
    }),
  );
});

test("does not encode a text that is far too long", () => {
  expect(bytesOver("ä".repeat(1_000), 10)).toBe(1_000);
});
