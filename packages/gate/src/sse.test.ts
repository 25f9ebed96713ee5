import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type StreamEvent, StreamParser } from "./sse.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function parse(...chunks: string[]): StreamEvent[] {
  const parser = new StreamParser(1_000);
  return chunks.flatMap((chunk) => parser.push(bytes(chunk)));
}

describe("stream parser", () => {
  test("reads events with names, ids and several lines of data", () => {
    expect(parse('event: occupied\nid: 5\ndata: {"a":1}\n\n', "data:x\ndata: y\n\n")).toEqual([
      { event: "occupied", data: '{"a":1}', id: "5" },
      { event: "message", data: "x\ny", id: undefined },
    ]);
  });

  test("skips comments, events without data, unknown fields, and what has not ended", () => {
    expect(parse(": still here\n\n", "event: x\nid: 1\n\n", "retry: 5\ndata\n\n", "data: no end\n")).toEqual([
      { event: "message", data: "", id: undefined },
    ]);
  });

  test("takes an id with a null character for none, as the standard says", () => {
    expect(parse("id: 4\0\ndata: x\n\n")).toEqual([{ event: "message", data: "x", id: undefined }]);
  });

  test("reads the same wherever the chunks are cut, and whichever line ends are used", () => {
    const text = 'event: vacated\nid: 17\ndata: {"channel":"zoë-✓"}\n\n: x\n\ndata: 2\ndata: 3\n\n';
    const expected = parse(text);
    expect(expected).toHaveLength(2);
    fc.assert(
      fc.property(
        fc.constantFrom("\n", "\r\n", "\r"),
        fc.array(fc.nat(90), { maxLength: 12 }),
        (end, cuts) => {
          const whole = bytes(text.replaceAll("\n", end));
          const parser = new StreamParser(1_000);
          const places = [
            0,
            ...cuts.map((cut) => Math.min(cut, whole.length)).sort((a, b) => a - b),
            whole.length,
          ];
          const events = places.slice(1).flatMap((to, index) => parser.push(whole.slice(places[index], to)));
          // A lone carriage return at the very end may still be half of a line end.
          events.push(...parser.push(bytes("\n")));
          expect(events).toEqual(expected);
        },
      ),
    );
  });

  test("refuses an event that does not end", () => {
    const parser = new StreamParser(1_000);
    parser.push(bytes(`data: ${"x".repeat(900)}\n\n`));
    parser.push(bytes(`data: ${"x".repeat(900)}\n`));
    expect(() => parser.push(bytes(`data: ${"x".repeat(200)}`))).toThrow("more than 1000 characters");
  });
});
