import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CHANNEL_KINDS, channelKind, parseChannelName } from "./channel.ts";
import { ProtocolError } from "./errors.ts";

function reasonOf(name: unknown, maxChars = 200): string | undefined {
  const parsed = parseChannelName(name, maxChars);
  return parsed instanceof ProtocolError ? parsed.reason : undefined;
}

describe("kinds", () => {
  test.each([
    [
      "private-encrypted-cache-x",
      "encrypted",
      { signed: true, cache: true, clientEvents: false, members: false },
    ],
    ["private-encrypted-x", "encrypted", { signed: true, cache: false, clientEvents: false, members: false }],
    ["private-cache-x", "private", { signed: true, cache: true, clientEvents: true, members: false }],
    ["private-x", "private", { signed: true, cache: false, clientEvents: true, members: false }],
    ["presence-cache-x", "presence", { signed: true, cache: true, clientEvents: true, members: true }],
    ["presence-x", "presence", { signed: true, cache: false, clientEvents: true, members: true }],
    ["cache-x", "public", { signed: false, cache: true, clientEvents: false, members: false }],
    ["#server-to-user-7", "user", { signed: false, cache: false, clientEvents: false, members: false }],
    ["news", "public", { signed: false, cache: false, clientEvents: false, members: false }],
  ])("%s is %s", (name, kind, promises) => {
    expect(channelKind(name)).toMatchObject({ kind, ...promises });
    expect(parseChannelName(name, 200)).toBe(channelKind(name));
  });

  test("are told by the start of the name only, and case counts", () => {
    for (const name of [
      "my-cache-x",
      "my-private-x",
      "xpresence-y",
      "Private-x",
      "PRESENCE-x",
      "private",
      "cache",
    ]) {
      expect(channelKind(name)).toMatchObject({ prefix: "", kind: "public" });
    }
  });

  test("give the longest prefix, so a presence channel is never encrypted", () => {
    expect(channelKind("presence-encrypted-x").kind).toBe("presence");
    expect(channelKind("private-encrypted").kind).toBe("private");
    expect(channelKind("private-cache").cache).toBe(false);
    expect(channelKind("private-encrypted-cachex")).toMatchObject({ kind: "encrypted", cache: false });
  });

  test("have different prefixes", () => {
    expect(new Set(CHANNEL_KINDS.map(({ prefix }) => prefix)).size).toBe(CHANNEL_KINDS.length);
  });
});

describe("names", () => {
  test("may hold letters, digits and _ - = @ , . ;", () => {
    expect(reasonOf("Az09_-=@,.;")).toBeUndefined();
    expect(reasonOf("private-")).toBeUndefined();
    expect(reasonOf("__proto__")).toBeUndefined();
  });

  test("hold nothing else", () => {
    for (const name of [
      "",
      " ",
      "a b",
      "a/b",
      "a:b",
      "a#b",
      "#a",
      "#server-to-user",
      "ä",
      "a\n",
      "\na",
      "a\u0000",
      "日本",
    ]) {
      expect(reasonOf(name)).toBe("channelNameInvalid");
    }
  });

  test("are strings", () => {
    for (const name of [undefined, null, 7, true, {}, [], ["news"]])
      expect(reasonOf(name)).toBe("channelNameInvalid");
    expect(parseChannelName(undefined, 200)).toMatchObject({ message: "Invalid channel name (none)" });
    expect(parseChannelName(["news"], 200)).toMatchObject({ message: 'Invalid channel name ["news"]' });
  });

  test("are refused without a throw where they are nested too deeply to be shown", () => {
    let deep: unknown = "x";
    for (let depth = 0; depth < 300_000; depth++) deep = [deep];
    expect(reasonOf(deep)).toBe("channelNameInvalid");
  });

  test("are as long as allowed, prefix included", () => {
    expect(reasonOf("n".repeat(200))).toBeUndefined();
    expect(parseChannelName(`private-${"n".repeat(193)}`, 200)).toMatchObject({
      reason: "channelNameTooLong",
      measured: { limit: 200, actual: 201 },
    });
  });

  test("may hold any user id after #server-to-user-, but for control characters and the slash", () => {
    for (const id of ["7", "u-7", "anna@example.com", "Zoë", "a b", "日本", "😀"]) {
      expect(reasonOf(`#server-to-user-${id}`)).toBeUndefined();
    }
    for (const id of ["", "a/b", "a\u0000", "a\n", "\u007f", "\ud800", "a\udc00"]) {
      expect(reasonOf(`#server-to-user-${id}`)).toBe("channelNameInvalid");
    }
  });

  test("never make the parser throw, and are accepted only without a slash", () => {
    fc.assert(
      fc.property(fc.anything(), fc.string({ unit: "binary" }), (value, text) => {
        parseChannelName(value, 200);
        for (const name of [text, `#server-to-user-${text}`, `presence-${text}`]) {
          if (reasonOf(name) === undefined) expect(name).not.toContain("/");
        }
      }),
    );
  });
});
