import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ProtocolError } from "./errors.ts";
import { parseMaxSubscriptions } from "./max-subscriptions.ts";

const parse = (text: string) => parseMaxSubscriptions("private-x", text);

describe("max_subscriptions in channel_data", () => {
  test("is a whole number from 1 up", () => {
    expect(parse('{"max_subscriptions":1}')).toBe(1);
    expect(parse('{"max_subscriptions":10,"plan":"basic"}')).toBe(10);
    expect(parse('{"user_id":"u-7","max_subscriptions":1e6}')).toBe(1_000_000);
    expect(parse('{"\\u006dax_subscriptions":10.0}')).toBe(10);
  });

  test("is nothing where the data is any other text", () => {
    for (const text of ["", "x", "{}", "[]", "null", "7", '"max_subscriptions"', '{"user_id":"u-7"}', "{"]) {
      expect(parse(text)).toBeUndefined();
    }
    expect(parse('{"__proto__":{"max_subscriptions":1}}')).toBeUndefined();
    expect(parse('[{"max_subscriptions":1}]')).toBeUndefined();
  });

  test("is refused where it is anything else: whoever signed it relies on it", () => {
    for (const value of ["0", "-1", "1.5", '"10"', "null", "true", "[]", "{}", "1000001"]) {
      expect(parse(`{"max_subscriptions":${value}}`)).toMatchObject({
        reason: "quotaInvalid",
        message: `Invalid max_subscriptions in channel_data for channel private-x: ${value}`,
        remedy: "Let the authorization endpoint sign a whole number from 1 to 1000000, or leave it out.",
      });
    }
    const deep = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
    expect(parse(`{"max_subscriptions":${deep}}`)).toMatchObject({
      message: "Invalid max_subscriptions in channel_data for channel private-x: (nested too deeply)",
    });
  });

  test("never makes the parser throw, and is a number within bounds where it is one", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.record({ max_subscriptions: fc.jsonValue() }).map((data) => JSON.stringify(data)),
    );
    fc.assert(
      fc.property(text, (data) => {
        const parsed = parse(data);
        if (parsed === undefined || parsed instanceof ProtocolError) return;
        expect(Number.isSafeInteger(parsed) && parsed >= 1 && parsed <= 1_000_000).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
