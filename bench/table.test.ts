import { expect, test } from "bun:test";
import { table } from "./table.ts";

test("lines up names at the left and numbers at the right", () => {
  expect(
    table(
      ["server", "CPU s"],
      [
        ["bare", "1.9"],
        ["soketi", "22.10"],
      ],
    ),
  ).toBe(["server  CPU s", "------  -----", "bare      1.9", "soketi  22.10"].join("\n"));
});
