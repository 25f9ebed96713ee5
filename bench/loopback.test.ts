import { expect, test } from "bun:test";
import { parseLoopbackBytes } from "./loopback.ts";

test("finds the loopback among the interfaces", () => {
  const dev = `Inter-|   Receive
 face |bytes    packets errs
    lo: 84627143581 125287299    0
  eth0: 2708252299   68585    0
`;
  expect(parseLoopbackBytes(dev)).toBe(84_627_143_581);
  expect(() => parseLoopbackBytes("  eth0: 1 2 3")).toThrow("lo");
});
