import { expect, test } from "bun:test";
import { residentFigures } from "./resident-track.ts";

test("start and end are medians of several readings, so that one peak is not growth", () => {
  const readings = [100, 101, 180, 100, 99, 120, 130, 102, 101, 190, 103, 102];
  expect(residentFigures(readings)).toEqual({ startMib: 100, endMib: 102, highestMib: 190 });
});
