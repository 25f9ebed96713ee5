import { expect, test } from "bun:test";
import { ProtocolError } from "@earshot/protocol/errors";
import { readPostedMessages } from "./posted-messages.ts";

const read = (text: string) => readPostedMessages(new TextEncoder().encode(text));

test("a body is an array of messages, which are texts", () => {
  expect(read("[]")).toEqual([]);
  expect(read('["{\\"event\\":\\"pusher:ping\\"}","two"]')).toEqual(['{"event":"pusher:ping"}', "two"]);
});

test.each([
  ["", "it is not a JSON array"],
  ["{}", "it is not a JSON array"],
  ['"text"', "it is not a JSON array"],
  ["null", "it is not a JSON array"],
  ["[1]", "not every item is a string"],
  ['["a",null]', "not every item is a string"],
  ["[[]]", "not every item is a string"],
  ["[", "The request body is not valid: it is not JSON"],
  [JSON.stringify(Array(257).fill("")), "it holds 257 messages, more than 256"],
])("%p is refused", (text, problem) => {
  const failure = read(text);
  expect(failure).toBeInstanceOf(ProtocolError);
  expect(failure).toMatchObject({
    reason: "fallbackBodyInvalid",
    message: `The body of xhr_send is not valid: ${problem}`,
  });
});

test("bytes that are no UTF-8 are refused", () => {
  expect(readPostedMessages(Uint8Array.of(0x5b, 0x22, 0xff, 0x22, 0x5d))).toMatchObject({
    message: "The body of xhr_send is not valid: The request body is not valid: it is not UTF-8",
  });
});
