import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeSegment, requestPath, withoutPrefix } from "./request-path.ts";

describe("the path of a request", () => {
  test("is what stands behind the authority, and the query what stands behind the question mark", () => {
    expect(requestPath("http://localhost:6001/apps/7/channels?info=a,b&x=%2F")).toEqual({
      path: "/apps/7/channels",
      query: "info=a,b&x=%2F",
    });
    expect(requestPath("https://[::1]:6001/")).toEqual({ path: "/", query: "" });
    expect(requestPath("http://localhost")).toEqual({ path: "/", query: "" });
    expect(requestPath("http://h/a?b?c")).toEqual({ path: "/a", query: "b?c" });
  });

  test("is left undecoded: signatures cover it as it was sent", () => {
    expect(requestPath("http://h/apps/7/channels/a%3Db").path).toBe("/apps/7/channels/a%3Db");
  });

  test("is found where the runtime gives no host, whatever the query holds", () => {
    expect(requestPath("/apps/7/channels?x=http://y/z")).toEqual({
      path: "/apps/7/channels",
      query: "x=http://y/z",
    });
    expect(requestPath("/a://b/c?d")).toEqual({ path: "/a://b/c", query: "d" });
  });

  test("is found in any text without a throw", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("/", ":", "?", "a", "#", "%", "://") }), (rest) => {
        expect(requestPath(`/${rest}`).path.startsWith("/")).toBe(true);
        expect(requestPath(`http://h/${rest}`)).toEqual(requestPath(`/${rest}`));
      }),
    );
  });
});

describe("a prefix", () => {
  test("is taken off at a slash only", () => {
    expect(withoutPrefix("/realtime/apps/7", ["/realtime"])).toBe("/apps/7");
    expect(withoutPrefix("/realtime", ["/realtime"])).toBeUndefined();
    expect(withoutPrefix("/realtimex/apps/7", ["/realtime"])).toBeUndefined();
    expect(withoutPrefix("/apps/7", [])).toBeUndefined();
  });

  test("is the first of the list that fits", () => {
    expect(withoutPrefix("/a/b/apps/7", ["/x", "/a", "/a/b"])).toBe("/b/apps/7");
  });
});

describe("a segment", () => {
  test("is decoded once, and is nothing where its escapes are malformed", () => {
    expect(decodeSegment("presence-a")).toBe("presence-a");
    expect(decodeSegment("a%3Db")).toBe("a=b");
    expect(decodeSegment("%2523")).toBe("%23");
    expect(decodeSegment("Zo%C3%AB")).toBe("Zoë");
    for (const segment of ["%", "%z", "%ff", "%e2%82"]) expect(decodeSegment(segment)).toBeUndefined();
  });
});
