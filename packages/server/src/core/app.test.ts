import { describe, expect, test } from "bun:test";
import { DEFAULT_LIMITS } from "@earshot/protocol/limits";
import fc from "fast-check";
import { activeKey, allowsOrigin, InvalidApp, makeApp } from "./app.ts";
import { draft, PAIR } from "./testing/world.ts";

const appWith = (allowedOrigins: string[]) => makeApp(draft({ allowedOrigins }));

describe("an app", () => {
  test("has defaults for everything but its id and keys", () => {
    expect(makeApp({ id: "4711", keys: [] })).toEqual({
      id: "4711",
      name: "4711",
      enabled: true,
      tlsOnly: false,
      keys: [],
      limits: DEFAULT_LIMITS,
      features: { clientEvents: false, subscriptionCount: false, watchlist: false },
      allowedOrigins: [],
      quotas: [],
      webhooks: [],
      createdMs: 0,
    });
  });

  test("cannot be changed in place", () => {
    const app = makeApp(draft({ limits: { maxConnections: 5 }, allowedOrigins: ["https://a.example"] }));
    for (const part of [app, app.keys, app.limits, app.features, app.allowedOrigins]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  test("lists its keys with the oldest first", () => {
    const [a, b, c] = [3, 1, 2].map((createdMs) => ({
      key: `k${createdMs}`,
      secret: "s",
      createdMs,
      revoked: false,
    }));
    expect(
      makeApp(draft({ keys: [a, b, c].filter((pair) => pair !== undefined) })).keys.map(({ key }) => key),
    ).toEqual(["k1", "k2", "k3"]);
  });

  test("keeps the limits that are not set at their defaults", () => {
    expect(makeApp(draft({ limits: { maxConnections: 5 } })).limits).toEqual({
      ...DEFAULT_LIMITS,
      maxConnections: 5,
    });
  });

  test("is refused with an id, a key or a secret that a URL or an option cannot hold", () => {
    for (const id of ["", "a/b", "a b", "a:b", "ä", "x".repeat(65), "1\n"]) {
      expect(() => makeApp({ id, keys: [] })).toThrow(InvalidApp);
    }
    for (const key of ["", "a:b", "a b", "x".repeat(65)]) {
      expect(() => makeApp(draft({ keys: [{ key, secret: "s", createdMs: 0, revoked: false }] }))).toThrow(
        InvalidApp,
      );
    }
    for (const secret of ["", "a:b", "a b", "ä", "x".repeat(129), "s\n"]) {
      expect(() => makeApp(draft({ keys: [{ key: "k", secret, createdMs: 0, revoked: false }] }))).toThrow(
        InvalidApp,
      );
    }
  });

  test("does not repeat a secret that is wrong", () => {
    const keys = [{ key: "k", secret: "very secret", createdMs: 0, revoked: false }];
    expect(() => makeApp(draft({ keys }))).toThrow(/^(?!.*very secret).*The secret of key k is not valid/);
  });

  test("is refused with a limit that there is none of, or that is out of bounds", () => {
    const limited = (limits: Record<string, unknown>) => () => makeApp(draft({ limits }));
    expect(limited({ maxNothing: 1 })).toThrow('There is no limit "maxNothing".');
    expect(limited({ ["__proto__"]: 1, constructor: 1 })).toThrow(InvalidApp);
    for (const value of [0, -1, 1.5, 201, Number.NaN, "5", null, 2 ** 60]) {
      expect(limited({ maxChannelNameChars: value })).toThrow(
        "use a whole number of characters from 1 to 200",
      );
    }
  });
});

describe("an active key", () => {
  test("is one of the app that is not revoked", () => {
    const second = { key: "second", secret: "s", createdMs: 2, revoked: true };
    const app = makeApp(draft({ keys: [{ ...PAIR, createdMs: 1, revoked: false }, second] }));
    expect(activeKey(app, PAIR.key)).toMatchObject(PAIR);
    for (const key of ["second", "", "other", PAIR.key.toUpperCase(), "__proto__"]) {
      expect(activeKey(app, key)).toBeUndefined();
    }
  });
});

describe("allowed origins", () => {
  test("let everybody in where none is set, and programs always", () => {
    expect(allowsOrigin(appWith([]), "https://anywhere.example")).toBe(true);
    expect(allowsOrigin(appWith(["https://shop.example"]), undefined)).toBe(true);
    expect(allowsOrigin(appWith(["*"]), "https://anywhere.example")).toBe(true);
  });

  test("are compared as a whole, without case", () => {
    const app = appWith(["https://Shop.example:8443"]);
    expect(allowsOrigin(app, "https://SHOP.example:8443")).toBe(true);
    for (const origin of [
      "http://shop.example:8443",
      "https://shop.example",
      "https://shop.example:8443.evil.example",
      "https://evil.example/https://shop.example:8443",
      "null",
      "",
    ]) {
      expect(allowsOrigin(app, origin)).toBe(false);
    }
  });

  test("may stand for all hosts below one, at a dot", () => {
    const app = appWith(["https://*.example.com"]);
    expect(allowsOrigin(app, "https://a.example.com")).toBe(true);
    expect(allowsOrigin(app, "https://a.b.example.com")).toBe(true);
    for (const origin of [
      "https://example.com",
      "https://.example.com",
      "https://evilexample.com",
      "http://a.example.com",
      "https://a.example.com.evil.example",
      "https://a.example.com:8443",
    ]) {
      expect(allowsOrigin(app, origin)).toBe(false);
    }
  });

  test("are refused where they are none", () => {
    for (const origin of [
      "",
      "shop.example",
      "https://",
      "https://a/b",
      "https://a b",
      "https://*",
      "https://a.*.b",
      "*.b",
    ]) {
      expect(() => appWith([origin])).toThrow(InvalidApp);
    }
  });

  test("never make the check throw", () => {
    const app = appWith(["https://*.example.com", "https://shop.example"]);
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (origin) => {
        expect(allowsOrigin(app, origin)).toBe(false);
      }),
    );
  });
});
