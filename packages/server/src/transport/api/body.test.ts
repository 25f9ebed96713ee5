import { describe, expect, test } from "bun:test";
import { bodyJson, bodyText, readBody } from "./body.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);
const utf8 = (text: string) => new TextEncoder().encode(text);
const post = (
  body: string | Uint8Array<ArrayBuffer> | ReadableStream | null,
  headers: Record<string, string> = {},
) => new Request("http://h/", { method: "POST", body, headers });

describe("reading", () => {
  test("gives the exact bytes", async () => {
    expect(await readBody(post(bytes(0, 255, 10, 13)), 4)).toEqual(bytes(0, 255, 10, 13));
    expect(await readBody(post(""), 4)).toEqual(bytes());
    expect(await readBody(post(null), 4)).toEqual(bytes());
    expect(await readBody(new Request("http://h/"), 4)).toEqual(bytes());
  });

  test("refuses what is longer than allowed", async () => {
    expect(await readBody(post("12345"), 4)).toMatchObject({
      reason: "apiBodyTooLarge",
      measured: { limit: 4, actual: 5 },
    });
  });

  test("does not read what says that it is longer", async () => {
    const request = post("1", { "Content-Length": "100" });
    expect(await readBody(request, 4)).toMatchObject({
      reason: "apiBodyTooLarge",
      measured: { actual: 100 },
    });
    expect(request.bodyUsed).toBe(false);
  });

  test("refuses a body that breaks off", async () => {
    const broken = new ReadableStream({
      pull(controller) {
        controller.error(new Error("the caller went away"));
      },
    });
    expect(await readBody(post(broken), 4)).toMatchObject({
      message: "The request body is not valid: it broke off, or was longer than 4 bytes",
    });
  });
});

describe("text", () => {
  test("is UTF-8, and refused where it is not, again and again", () => {
    const wrong = [
      bytes(0xff),
      bytes(0xc3),
      bytes(0xe2, 0x82),
      bytes(0xed, 0xa0, 0x80),
      bytes(0xf4, 0x90, 0x80, 0x80),
      bytes(0xc0, 0x80),
      bytes(0x61, 0x80),
    ];
    for (const body of wrong) {
      expect(bodyText(body)).toMatchObject({ message: "The request body is not valid: it is not UTF-8" });
      expect(bodyText(utf8("Zoë 😀"))).toBe("Zoë 😀");
    }
  });
});

describe("JSON", () => {
  test("is any JSON value, or nothing where there is no body", () => {
    expect(bodyJson(utf8('{"a":1}'))).toEqual({ a: 1 });
    expect(bodyJson(utf8(" [1] "))).toEqual([1]);
    expect(bodyJson(utf8("null"))).toBeNull();
    expect(bodyJson(bytes())).toBeUndefined();
  });

  test("is refused where it is none", () => {
    for (const text of [" ", "{", "{'a':1}", '{"a":1}x', "NaN", "undefined", '{"a":1,}']) {
      expect(bodyJson(utf8(text))).toMatchObject({
        message: "The request body is not valid: it is not JSON",
      });
    }
    expect(bodyJson(bytes(0x22, 0xff, 0x22))).toMatchObject({
      message: "The request body is not valid: it is not UTF-8",
    });
  });

  test("may be nested a million times", () => {
    expect(bodyJson(utf8("[".repeat(1_000_000)))).toMatchObject({ reason: "apiBodyInvalid" });
    expect(Array.isArray(bodyJson(utf8(`${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}`)))).toBe(true);
  });
});
