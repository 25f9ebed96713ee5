import { expect, test } from "bun:test";
import fc from "fast-check";
import { jsonText, MAX_NESTING } from "./json-text.ts";

const nested = (levels: number): unknown => JSON.parse("[".repeat(levels) + "]".repeat(levels));

test("writes what JSON.stringify writes", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 20 }), (text) => {
      const value: unknown = JSON.parse(text);
      expect(jsonText(value)).toBe(JSON.stringify(value));
    }),
  );
});

test("writes as many levels as allowed, and no more", () => {
  expect(jsonText(nested(MAX_NESTING))).toHaveLength(2 * MAX_NESTING);
  expect(jsonText(nested(MAX_NESTING + 1))).toBeUndefined();
  expect(jsonText({ shallow: 1, deep: nested(MAX_NESTING) })).toBeUndefined();
});

test("turns away a million levels without a throw, and at once", () => {
  for (let round = 0; round < 1_000; round++) expect(jsonText(nested(5_000))).toBeUndefined();
  expect(jsonText(nested(1_000_000))).toBeUndefined();
});

test("keeps a key named __proto__", () => {
  expect(jsonText(JSON.parse('{"__proto__":{"a":1}}'))).toBe('{"__proto__":{"a":1}}');
  expect(jsonText(JSON.parse(`{"__proto__":${"[".repeat(600)}${"]".repeat(600)}}`))).toBeUndefined();
});
