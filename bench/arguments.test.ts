import { expect, test } from "bun:test";
import { type Command, parseArguments } from "./arguments.ts";

const fanout: Command = {
  name: "fanout",
  sizes: [{ flag: "in-flight", default: 16, doc: "requests" }],
  parts: ["earshot", "bare", "soketi"],
  runs: 3,
};
const gate: Command = {
  name: "gate",
  sizes: [
    { flag: "channels", default: 400, doc: "channels" },
    { flag: "window", default: 30, doc: "seconds" },
  ],
  parts: ["A", "B"],
  runs: 2,
  quick: { window: 5 },
};
const parse = (line: string) => parseArguments(line.split(" "), [fanout, gate]);

test("takes the usual sizes and all servers", () => {
  expect(parse("fanout")).toEqual({
    command: fanout,
    runs: 3,
    only: ["earshot", "bare", "soketi"],
    jsonFile: undefined,
    sizes: { "in-flight": 16 },
  });
});

test("takes other sizes, a file and some of the servers in the bench's own order", () => {
  expect(parse("fanout --runs 5 --only soketi,bare --json out.json --in-flight 1")).toMatchObject({
    runs: 5,
    only: ["bare", "soketi"],
    jsonFile: "out.json",
    sizes: { "in-flight": 1 },
  });
});

test("is quick where the command can be, once and with what is said besides", () => {
  expect(parse("gate --quick")).toMatchObject({ runs: 1, sizes: { channels: 400, window: 5 } });
  expect(parse("gate --quick --window 7 --runs 2")).toMatchObject({ runs: 2, sizes: { window: 7 } });
  expect(parse("gate --only B")).toMatchObject({ runs: 2, only: ["B"], sizes: { window: 30 } });
});

test("refuses what it does not know, by name", () => {
  expect(parse("nothing")).toMatchObject({ refusal: expect.stringContaining("usage:") });
  expect(parse("fanout --clients 3")).toMatchObject({ refusal: expect.stringContaining("--clients") });
  expect(parse("fanout --quick")).toMatchObject({ refusal: expect.stringContaining("--quick") });
  expect(parse("fanout --only ws")).toMatchObject({ refusal: expect.stringContaining('"ws"') });
  expect(parse("gate --only earshot")).toMatchObject({ refusal: expect.stringContaining('"earshot"') });
  expect(parse("fanout --in-flight many")).toMatchObject({ refusal: expect.stringContaining('"many"') });
  expect(parse("fanout --runs 0")).toMatchObject({ refusal: expect.stringContaining("at least 1") });
});
