import { expect, test } from "bun:test";
import { parseArguments } from "./arguments.ts";
import type { Scene } from "./scene.ts";

const scene: Scene = {
  name: "fanout",
  title: () => "",
  sizes: [{ flag: "in-flight", default: 16, doc: "requests" }],
  connections: () => 0,
  columns: [],
  compared: "",
  budgets: [],
  play: () => Promise.resolve({}),
};
const parse = (line: string) => parseArguments(line.split(" "), [scene]);

test("takes the usual sizes and all servers", () => {
  expect(parse("fanout")).toEqual({
    scene,
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

test("refuses what it does not know, by name", () => {
  expect(parse("nothing")).toMatchObject({ refusal: expect.stringContaining("usage:") });
  expect(parse("fanout --clients 3")).toMatchObject({ refusal: expect.stringContaining("--clients") });
  expect(parse("fanout --only ws")).toMatchObject({ refusal: expect.stringContaining('"ws"') });
  expect(parse("fanout --in-flight many")).toMatchObject({ refusal: expect.stringContaining('"many"') });
  expect(parse("fanout --runs 0")).toMatchObject({ refusal: expect.stringContaining("at least 1") });
});
