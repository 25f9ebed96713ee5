import { expect, test } from "bun:test";
import { foreignLoadPercent, parseProcessorTime } from "./foreign-load.ts";

test("takes idle time and waiting for disks as not busy", () => {
  expect(parseProcessorTime("cpu  10 1 5 80 4 0 0 0 0 0\ncpu0 1 1 1 1\n")).toEqual({ busy: 16, total: 100 });
});

test("measures a share between nothing and everything", async () => {
  const percent = await foreignLoadPercent();
  expect(percent).toBeGreaterThanOrEqual(0);
  expect(percent).toBeLessThanOrEqual(100);
});
