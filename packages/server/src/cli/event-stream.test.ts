import { expect, test } from "bun:test";
import { EventStreamParser } from "./event-stream.ts";

test("each event's data comes once, comments do not", () => {
  const parser = new EventStreamParser();
  expect(parser.feed(": hello\n\ndata: one\n\ndata:two\nid: 7\n\n: still here\n\n")).toEqual(["one", "two"]);
});

test("an event may come in pieces, with any line ending, over several lines", () => {
  const text = "data: one\r\n\r\ndata: two\ndata: more\n\n";
  const parser = new EventStreamParser();
  expect([...text].flatMap((character) => parser.feed(character))).toEqual(["one", "two\nmore"]);
});
