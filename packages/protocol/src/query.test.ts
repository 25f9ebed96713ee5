import { expect, test } from "bun:test";
import fc from "fast-check";
import { Query } from "./query.ts";

test("reads parameters in their order, with lower-cased keys", () => {
  expect(new Query("Auth_Key=K&info=user_count,subscription_count&empty=&bare").parameters).toEqual([
    ["auth_key", "K"],
    ["info", "user_count,subscription_count"],
    ["empty", ""],
    ["bare", ""],
  ]);
});

test("skips what stands between two ampersands and is nothing", () => {
  expect(new Query("&&a=1&&b=2&").parameters).toEqual([
    ["a", "1"],
    ["b", "2"],
  ]);
  expect(new Query("").parameters).toEqual([]);
  expect(new Query("=").parameters).toEqual([["", ""]]);
});

test("splits at the first equals sign", () => {
  expect(new Query("a=b=c&d==").parameters).toEqual([
    ["a", "b=c"],
    ["d", "="],
  ]);
  expect(new Query("a&b=1").parameters).toEqual([
    ["a", ""],
    ["b", "1"],
  ]);
});

test("gives the first value of a name", () => {
  const query = new Query("a=1&A=2&b=3");
  expect(query.get("a")).toBe("1");
  expect(query.get("c")).toBeUndefined();
  expect(query.get("__proto__")).toBeUndefined();
  expect(query.get("constructor")).toBeUndefined();
});

test("gives the values of a list in the form of the reference signer", () => {
  expect(new Query("channels[]=a&x=1&channels%5B%5D=b").list("channels")).toEqual(["a", "b"]);
  expect(new Query("channels=a,b").list("channels")).toEqual([]);
});

test("decodes escapes, and a plus as a space", () => {
  const query = new Query("filter_by_prefix=presence-%2B&name=a+b&u=%E2%82%AC");
  expect(query.get("filter_by_prefix")).toBe("presence-+");
  expect(query.get("name")).toBe("a b");
  expect(query.get("u")).toBe("€");
});

test("offers the reading that keeps each plus, only where there is one", () => {
  expect(new Query("a=1+1&b=%2B").withLiteralPlus()).toEqual([
    ["a", "1+1"],
    ["b", "+"],
  ]);
  expect(new Query("a=%2B").withLiteralPlus()).toBeUndefined();
});

test("keeps a value whose escapes are malformed", () => {
  for (const value of ["%", "%zz", "%e2%82", "%ff", "100%"])
    expect(new Query(`a=${value}`).get("a")).toBe(value);
});

test("knows when it holds nothing but the signature's parameters", () => {
  expect(
    new Query("auth_key=K&auth_timestamp=1&auth_version=1.0&body_md5=x&auth_signature=y").isSignatureOnly,
  ).toBe(true);
  expect(new Query("auth_key=K&info=user_count").isSignatureOnly).toBe(false);
});

test("reads back whatever was encoded", () => {
  const text = fc.string({ unit: "grapheme" });
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text)), (pairs) => {
      const raw = pairs
        .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
        .join("&");
      expect(new Query(raw).parameters).toEqual(pairs.map(([key, value]) => [key.toLowerCase(), value]));
    }),
  );
});

test("never throws", () => {
  const text = fc.string({
    unit: fc.oneof(fc.constantFrom("%", "&", "=", "+", "[", "]", "%e", "%2"), fc.string()),
  });
  fc.assert(
    fc.property(text, (raw) => {
      const query = new Query(raw);
      query.withLiteralPlus();
      query.list("a");
      for (const [key] of query.parameters) expect(query.get(key)).toBeDefined();
    }),
    { examples: [["=value"], ["a=1&=value"]] },
  );
});

test("takes time in proportion to its length", () => {
  expect(new Query("a&".repeat(2_000_000)).parameters).toHaveLength(2_000_000);
});
