import { describe, expect, test } from "bun:test";
import { isSessionId, readSessionPath } from "./session-path.ts";

describe("a path of the fallback", () => {
  test.each(["xhr_streaming", "xhr", "xhr_send"] as const)("names key, session and %s", (action) => {
    expect(readSessionPath(`/app/KEY/793/34vlfh0e/${action}`)).toEqual({
      key: "KEY",
      id: "793/34vlfh0e",
      action,
    });
  });

  test.each([
    "/app/KEY",
    "/app/KEY/xhr",
    "/app/KEY/793/xhr",
    "/app/KEY/793/34vlfh0e/xhr/",
    "/app/KEY/793/34vlfh0e/jsonp",
    "/app/KEY/793/34vlfh0e/more/xhr",
    "/app//793/34vlfh0e/xhr",
    "/apps/KEY/793/34vlfh0e/xhr",
    "/pusher/app/KEY/793/34vlfh0e/xhr",
  ])("is not %s", (path) => {
    expect(readSessionPath(path)).toBeUndefined();
  });
});

test.each([
  ["0/00000000", true],
  ["999/vvvvvvvv", true],
  ["1000/34vlfh0e", false],
  ["x/34vlfh0e", false],
  ["1/34vlfh0", false],
  ["1/34vlfh0ee", false],
  ["1/34vlfh0w", false],
  ["1/34VLFH0E", false],
  ["1/34vlfh0e\n", false],
  ["1/34vl%68fh0", false],
])("session %j: %p", (id, isOne) => {
  expect(isSessionId(id)).toBe(isOne);
});
