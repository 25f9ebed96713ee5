import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { InvalidApp, makeApp } from "./app.ts";
import { parseQuota, type Quota, strictestQuota, writeQuota } from "./quota.ts";
import { draft } from "./testing/world.ts";

const rule = (prefix: string, maxSubscriptions: number): Quota => ({ prefix, maxSubscriptions });

describe("the quotas of an app", () => {
  const appWith = (...quotas: Quota[]) => makeApp(draft({ quotas }));

  test("cannot be changed in place", () => {
    const given = [rule("private-user-", 10)];
    const { quotas } = appWith(...given);
    expect(quotas).toEqual(given);
    expect([Object.isFrozen(quotas), Object.isFrozen(quotas[0])]).toEqual([true, true]);
    expect(quotas[0]).not.toBe(given[0]);
  });

  test("have a prefix as channel names begin, without the star", () => {
    for (const prefix of ["", "private-*", "private user", "#server-to-user-", "a/b", "ä", "x".repeat(201)]) {
      expect(() => appWith(rule(prefix, 10))).toThrow(
        "is not valid: use 1 to 200 letters, digits and _ - = @",
      );
    }
    expect(appWith(rule("x".repeat(200), 10)).quotas).toHaveLength(1);
    expect(() => makeApp(draft({ quotas: [{ prefix: 7, maxSubscriptions: 1 } as never] }))).toThrow(
      InvalidApp,
    );
  });

  test("have a whole number from 1 to 1,000,000", () => {
    expect(appWith(rule("a", 1), rule("b", 1_000_000)).quotas).toHaveLength(2);
    for (const number of [0, -1, 1.5, 1_000_001, Number.NaN, "10" as never, null as never]) {
      expect(() => appWith(rule("private-user-", number))).toThrow(
        `Quota private-user-* = ${number} is not valid: use a whole number of subscriptions from 1 to 1000000.`,
      );
    }
  });

  test("are at most 100", () => {
    const rules = (count: number) => Array.from({ length: count }, (_, i) => rule(`p${i}-`, 1));
    expect(appWith(...rules(100)).quotas).toHaveLength(100);
    expect(() => appWith(...rules(101))).toThrow("101 quotas are too many: an app may have 100.");
  });
});

describe("a written quota", () => {
  test("is the beginning of names, a star, and a number", () => {
    for (const text of [
      "private-user-*=10",
      "private-user-*:10",
      "private-user-*: 10",
      " private-user-* = 10 ",
    ])
      expect(parseQuota(text)).toEqual(rule("private-user-", 10));
    expect(parseQuota("a=b;c=*=5")).toEqual(rule("a=b;c=", 5));
  });

  test("is refused with an example where it is anything else", () => {
    for (const text of [
      "",
      "10",
      "private-user-=10",
      "private-user-*",
      "private-user-*=",
      "a*=ten",
      "a*b*=1",
    ]) {
      expect(() => parseQuota(text)).toThrow(
        `Quota ${JSON.stringify(text)} is not valid: write the beginning of channel names, a star, "=" and a whole number, such as private-user-*=10.`,
      );
    }
    for (const text of ["*=10", "a b*=10", "a*=0", "a*=1000001"])
      expect(() => parseQuota(text)).toThrow(InvalidApp);
  });

  test("is read as it is written", () => {
    const prefix = fc.stringMatching(/^[-A-Za-z0-9_=@,.;]{1,200}$/);
    fc.assert(
      fc.property(prefix, fc.integer({ min: 1, max: 1_000_000 }), (beginning, number) => {
        expect(parseQuota(writeQuota(rule(beginning, number)))).toEqual(rule(beginning, number));
      }),
    );
  });

  test("makes the parser throw nothing but InvalidApp", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        try {
          parseQuota(text);
        } catch (problem) {
          expect(problem).toBeInstanceOf(InvalidApp);
        }
      }),
    );
  });
});

test("of several quotas the strictest counts, the subscription's own among them", () => {
  const quotas = [rule("private-", 100), rule("private-user-", 10), rule("presence-", 5)];
  expect(strictestQuota(quotas, "private-user-7", undefined)).toBe(10);
  expect(strictestQuota(quotas.toReversed(), "private-user-7", undefined)).toBe(10);
  expect(strictestQuota(quotas, "private-user-7", 3)).toBe(3);
  expect(strictestQuota(quotas, "private-user-7", 30)).toBe(10);
  expect(strictestQuota(quotas, "private-x", 300)).toBe(100);
  expect(strictestQuota(quotas, "my-private-user-7", undefined)).toBeUndefined();
  expect(strictestQuota([], "private-user-7", undefined)).toBeUndefined();
  expect(strictestQuota([], "private-user-7", 3)).toBe(3);
});
