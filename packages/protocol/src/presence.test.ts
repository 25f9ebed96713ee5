import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ProtocolError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { parseChannelData } from "./presence.ts";

const parse = (text: string) => parseChannelData("presence-x", text, DEFAULT_LIMITS);

describe("channel_data", () => {
  test("names a user, with or without info", () => {
    expect(parse('{"user_id":"u-7","user_info":{"name":"Zoë"}}')).toEqual({
      userId: "u-7",
      infoJson: '{"name":"Zoë"}',
    });
    expect(parse('{"user_id":"u-7"}')).toEqual({ userId: "u-7", infoJson: "{}" });
    expect(parse('{"user_id":"u-7","user_info":null}')).toEqual({ userId: "u-7", infoJson: "{}" });
  });

  test("may name the user by a number, whose decimal text is the id", () => {
    expect(parse('{"user_id":10}')).toMatchObject({ userId: "10" });
    expect(parse('{"user_id":0}')).toMatchObject({ userId: "0" });
    expect(parse('{"user_id":-3}')).toMatchObject({ userId: "-3" });
    expect(parse('{"user_id":9007199254740991}')).toMatchObject({ userId: "9007199254740991" });
  });

  test("is refused where a number has lost digits and would name somebody else", () => {
    for (const id of ["9007199254740993", "1e400", "1.5", "12345678901234567890"]) {
      expect(parse(`{"user_id":${id}}`)).toMatchObject({ reason: "channelDataInvalid" });
    }
  });

  test("is refused without a user id", () => {
    for (const text of [
      "{}",
      '{"user_id":""}',
      '{"user_id":null}',
      '{"user_id":{}}',
      '{"user_id":[7]}',
      '{"user_id":true}',
    ]) {
      expect(parse(text)).toMatchObject({
        reason: "channelDataInvalid",
        message:
          "Invalid channel_data for channel presence-x: user_id must be a non-empty string, or a whole number below 2^53",
      });
    }
    expect(parse('{"__proto__":{"user_id":"u-7"}}')).toMatchObject({ reason: "channelDataInvalid" });
  });

  test("is refused where it is no JSON object", () => {
    expect(parse("")).toMatchObject({
      message: "Invalid channel_data for channel presence-x: it is not JSON",
    });
    for (const text of ["null", "7", '"u-7"', "[]"]) {
      expect(parse(text)).toMatchObject({
        message: "Invalid channel_data for channel presence-x: it is not a JSON object",
      });
    }
  });

  test("may hold any text as id: __proto__, digits, emoji", () => {
    for (const id of ["__proto__", "constructor", "7", "😀", " ", "\ud800"]) {
      expect(parse(JSON.stringify({ user_id: id }))).toMatchObject({ userId: id });
    }
  });

  test("is measured: the id in characters, the info in bytes", () => {
    expect(parse(JSON.stringify({ user_id: "u".repeat(128) }))).toMatchObject({ userId: "u".repeat(128) });
    expect(parse(JSON.stringify({ user_id: "u".repeat(129) }))).toMatchObject({
      reason: "userIdTooLong",
      measured: { limit: 128, actual: 129 },
    });
    const info = (bytes: number) => JSON.stringify({ user_id: "u", user_info: "x".repeat(bytes - 2) });
    expect(parse(info(1_024))).toMatchObject({ userId: "u" });
    expect(parse(info(1_025))).toMatchObject({
      reason: "memberTooLarge",
      measured: { limit: 1_024, actual: 1_025 },
    });
    expect(parse(JSON.stringify({ user_id: "u", user_info: "ä".repeat(600) }))).toMatchObject({
      reason: "memberTooLarge",
    });
  });

  test("is refused where the info is nested too deeply, at once", () => {
    const deep = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
    for (let round = 0; round < 100; round++) {
      expect(parse(`{"user_id":"u","user_info":${deep}}`)).toMatchObject({
        message: "Invalid channel_data for channel presence-x: user_info is nested too deeply",
      });
    }
  });

  test("never makes the parser throw, and gives JSON as info", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.record({ user_id: fc.jsonValue(), user_info: fc.jsonValue() }).map((data) => JSON.stringify(data)),
    );
    fc.assert(
      fc.property(text, (data) => {
        const parsed = parse(data);
        if (!(parsed instanceof ProtocolError)) JSON.parse(parsed.infoJson);
      }),
      { numRuns: 500 },
    );
  });
});
