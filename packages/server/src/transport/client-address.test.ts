import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ClientAddress, parseRange } from "./client-address.ts";

const behind = new ClientAddress(["10.0.0.0/8", "192.168.1.1", "fd00::/8", "::1"]);

describe("the address of a client", () => {
  test("is the peer's where no proxy is trusted, whatever is forwarded", () => {
    const nobody = new ClientAddress([]);
    expect(nobody.of("10.0.0.1", "203.0.113.7")).toBe("10.0.0.1");
    expect(behind.of("203.0.113.9", "198.51.100.1")).toBe("203.0.113.9");
    expect(behind.of("10.0.0.1", null)).toBe("10.0.0.1");
  });

  test("is the nearest that is no trusted proxy, read from the right", () => {
    expect(behind.of("10.0.0.1", "203.0.113.7")).toBe("203.0.113.7");
    expect(behind.of("10.0.0.1", "1.2.3.4, 203.0.113.7, 10.9.9.9")).toBe("203.0.113.7");
    expect(behind.of("::1", "2001:db8::7,fd00::2")).toBe("2001:db8::7");
  });

  test("is the farthest proxy where all are trusted", () => {
    expect(behind.of("10.0.0.1", "10.0.0.2, 192.168.1.1")).toBe("10.0.0.2");
  });

  test("is the last that can be believed where the list holds something else", () => {
    expect(behind.of("10.0.0.1", "203.0.113.7, unknown, 10.0.0.2")).toBe("10.0.0.2");
    for (const list of ["", ",", "unknown", "203.0.113.7:443", "<script>"]) {
      expect(behind.of("10.0.0.1", list)).toBe("10.0.0.1");
    }
  });

  test("is the same for an IPv4 address written as IPv6", () => {
    expect(behind.trusts("::ffff:10.1.2.3")).toBe(true);
    expect(behind.trusts("::ffff:203.0.113.7")).toBe(false);
    expect(behind.of("::ffff:10.1.2.3", "203.0.113.7")).toBe("203.0.113.7");
  });

  test("never makes the reader throw", () => {
    const text = fc.string({ unit: fc.oneof(fc.constantFrom(",", "10.0.0.1", " ", ":", "."), fc.string()) });
    fc.assert(
      fc.property(text, text, (peer, list) => {
        behind.of(peer, list);
        behind.of("10.0.0.1", list);
        behind.isTls("10.0.0.1", false, list);
        behind.trusts(peer);
      }),
    );
  });
});

describe("TLS", () => {
  test("is the listener's where nobody is believed", () => {
    expect(behind.isTls("203.0.113.9", false, "https")).toBe(false);
    expect(behind.isTls("203.0.113.9", true, "http")).toBe(true);
    expect(behind.isTls("10.0.0.1", true, null)).toBe(true);
  });

  test("is what the nearest trusted proxy says", () => {
    expect(behind.isTls("10.0.0.1", false, "https")).toBe(true);
    expect(behind.isTls("10.0.0.1", false, "http, WSS")).toBe(true);
    expect(behind.isTls("10.0.0.1", true, "https, http")).toBe(false);
    expect(behind.isTls("10.0.0.1", true, "")).toBe(false);
  });
});

test("a range is an address or a CIDR range, and nothing else", () => {
  expect(parseRange("10.0.0.0/8")[1]).toBe(8);
  expect(parseRange("10.0.0.1")[1]).toBe(32);
  expect(parseRange("::1")[1]).toBe(128);
  for (const text of ["", "localhost", "10.0.0.0/33", "10.0.0.0/x", "/8", "1.2.3.4.5"]) {
    expect(() => parseRange(text)).toThrow();
  }
});
