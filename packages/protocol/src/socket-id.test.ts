import { expect, test } from "bun:test";
import fc from "fast-check";
import { isSocketId, makeSocketId } from "./socket-id.ts";

test("accepts what the official libraries accept", () => {
  for (const id of ["208836.27464492", "131160.155806628", "13.37", "1234.1234", "0.0"])
    expect(isSocketId(id)).toBe(true);
});

test("refuses everything else", () => {
  const wrong = [
    "",
    ".",
    "1",
    "1.",
    ".1",
    "1.2.3",
    "1,2",
    " 1.2",
    "1.2 ",
    "1.2\n",
    "\n1.2",
    "-1.2",
    "1e3.2",
    "٣.٤",
    "1.x",
  ];
  for (const id of wrong) expect(isSocketId(id)).toBe(false);
  expect(isSocketId("0b5e2b4c-7f0e-4d6e-9f39-6c1c2a0b7a11")).toBe(false);
});

test("makes ids of the form that it accepts, whatever chance says", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (fraction) => {
      expect(isSocketId(makeSocketId((below) => Math.floor(fraction * below)))).toBe(true);
    }),
  );
});

test("makes other ids from other numbers", () => {
  const numbers = [1, 2, 3, 4];
  const next = () => numbers.shift() ?? 0;
  expect(makeSocketId(next)).toBe("1.2");
  expect(makeSocketId(next)).toBe("3.4");
});

test("is not slow with a long text", () => {
  expect(isSocketId(`${"1".repeat(1_000_000)}x`)).toBe(false);
});
