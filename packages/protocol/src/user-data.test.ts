import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseChannelName, userChannel } from "./channel.ts";
import { ProtocolError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { parseUserData } from "./user-data.ts";

const parse = (text: string, over: Partial<typeof DEFAULT_LIMITS> = {}) =>
  parseUserData(text, { ...DEFAULT_LIMITS, ...over });
const of = (fields: unknown, over: Partial<typeof DEFAULT_LIMITS> = {}) =>
  parse(JSON.stringify(fields), over);

const problem = (parsed: unknown) => (parsed instanceof ProtocolError ? parsed.message : parsed);

describe("user_data", () => {
  test("names a user, with info and watchlist or without", () => {
    expect(of({ id: "u-7", user_info: { name: "Zoë" }, watchlist: ["u-8", "u-9"] })).toEqual({
      id: "u-7",
      infoJson: '{"name":"Zoë"}',
      watchlist: ["u-8", "u-9"],
      watchlistAsked: 2,
    });
    const bare = { id: "u-7", infoJson: "{}", watchlist: [], watchlistAsked: 0 };
    expect(of({ id: "u-7" })).toEqual(bare);
    expect(of({ id: "u-7", user_info: null, watchlist: null })).toEqual(bare);
    expect(of({ id: "u-7", user_info: {}, watchlist: [], name: "more", auth: 7 })).toEqual(bare);
  });

  test("is refused where it is no JSON object", () => {
    for (const text of ["", " ", "{", "u-7", "{'id':'u-7'}"]) {
      expect(problem(parse(text))).toBe("Invalid user_data: it is not JSON");
    }
    for (const text of ["null", "7", '"u-7"', "[]", "true"]) {
      expect(problem(parse(text))).toBe("Invalid user_data: it is not a JSON object");
    }
  });

  test("needs an id that is a non-empty string: pusher-js takes no other", () => {
    for (const id of [undefined, null, "", 7, 0, true, {}, ["u-7"]]) {
      expect(problem(of({ id }))).toBe("Invalid user_data: id must be a non-empty string");
    }
    expect(parse('{"__proto__":{"id":"u-7"}}')).toMatchObject({ reason: "userDataInvalid" });
  });

  test("has an id that can be part of a channel's name", () => {
    for (const id of [
      "7",
      "u-7",
      "anna@example.com",
      "Zoë",
      "a b",
      "日本",
      "😀",
      "__proto__",
      "constructor",
    ]) {
      expect(of({ id })).toMatchObject({ id });
    }
    for (const id of ["a/b", "/", "a\u0000", "a\n", "\u007f", "\ud800", "a\udc00"]) {
      expect(problem(of({ id }))).toBe(
        "Invalid user_data: id must not hold control characters, lone surrogates or a slash",
      );
    }
  });

  test("is measured: the id in characters, the info in bytes", () => {
    expect(of({ id: "u".repeat(128) })).toMatchObject({ id: "u".repeat(128) });
    expect(of({ id: "u".repeat(129) })).toMatchObject({
      reason: "signInIdTooLong",
      measured: { limit: 128, actual: 129 },
    });
    const info = (bytes: number) => ({ id: "u", user_info: { a: "x".repeat(bytes - '{"a":""}'.length) } });
    expect(of(info(1_024))).toMatchObject({ id: "u" });
    expect(of(info(1_025))).toMatchObject({
      reason: "signInInfoTooLarge",
      measured: { limit: 1_024, actual: 1_025 },
    });
    expect(of({ id: "u", user_info: { a: "ä".repeat(600) } })).toMatchObject({
      reason: "signInInfoTooLarge",
    });
  });

  test("has an id no longer than leaves room for the prefix of its channel", () => {
    expect(of({ id: "u".repeat(185) }, { maxUserIdChars: 1_000 })).toMatchObject({
      measured: { limit: 184, actual: 185 },
    });
    expect(of({ id: "u".repeat(184) }, { maxUserIdChars: 1_000 })).toMatchObject({ infoJson: "{}" });
    expect(of({ id: "u" }, { maxChannelNameChars: 3 })).toMatchObject({ measured: { limit: 0, actual: 1 } });
  });

  test("has an object as info", () => {
    for (const info of ["x", 7, true, [], [{}]]) {
      expect(problem(of({ id: "u", user_info: info }))).toBe(
        "Invalid user_data: user_info must be a JSON object",
      );
    }
    const deep = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
    expect(problem(parse(`{"id":"u","user_info":{"a":${deep}}}`))).toBe(
      "Invalid user_data: user_info is nested too deeply",
    );
  });

  test("has an array of user ids as watchlist", () => {
    for (const watchlist of [{}, "u-8", 7, true, [7], ["u-8", null], [["u-8"]], [""], ["a/b"], ["\ud800"]]) {
      expect(problem(of({ id: "u", watchlist }))).toBe(
        "Invalid user_data: watchlist must be an array of user ids",
      );
    }
  });

  test("watches each user once, and of too many the first", () => {
    const ids = Array.from({ length: 150 }, (_, at) => `w-${at}`);
    expect(of({ id: "u", watchlist: [...ids.slice(0, 100), "w-3", "w-0"] })).toMatchObject({
      watchlist: ids.slice(0, 100),
      watchlistAsked: 100,
    });
    expect(of({ id: "u", watchlist: ids })).toMatchObject({
      watchlist: ids.slice(0, 100),
      watchlistAsked: 150,
    });
    expect(of({ id: "u", watchlist: ids }, { maxWatchlist: 2 })).toMatchObject({ watchlist: ["w-0", "w-1"] });
  });

  test("never makes the parser throw; whoever it names can have a channel", () => {
    const json = fc.jsonValue();
    const id = fc.oneof(fc.string({ unit: "binary" }), fc.string(), json);
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc
        .record({ id, user_info: fc.oneof(fc.object(), json), watchlist: fc.oneof(fc.array(id), json) })
        .map((data) => JSON.stringify(data)),
    );
    fc.assert(
      fc.property(text, (data) => {
        const parsed = parse(data);
        if (parsed instanceof ProtocolError) return;
        JSON.parse(parsed.infoJson);
        for (const user of [parsed.id, ...parsed.watchlist]) {
          expect(parseChannelName(userChannel(user), 100_000)).toMatchObject({ kind: "user" });
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
