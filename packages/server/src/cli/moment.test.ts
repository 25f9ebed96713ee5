import { expect, test } from "bun:test";
import { momentFrom } from "./moment.ts";

const NOW_MS = Date.UTC(2026, 5, 15, 12, 0, 0);

test("a moment is written as how long ago it was", () => {
  const ago = (text: string) => NOW_MS - momentFrom("since", text, NOW_MS);
  expect([ago("0s"), ago("90s"), ago("10m"), ago("2h"), ago("1d")]).toEqual([
    0, 90_000, 600_000, 7_200_000, 86_400_000,
  ]);
  expect(momentFrom("since", "999999999d", NOW_MS)).toBe(0);
});

test("a moment is written as ISO 8601, in UTC where no zone is named", () => {
  const at = (text: string) => new Date(momentFrom("since", text, NOW_MS)).toISOString();
  expect(at("2026-06-15T10:20:30.456Z")).toBe("2026-06-15T10:20:30.456Z");
  expect(at("2026-06-15T10:20:30+02:00")).toBe("2026-06-15T08:20:30.000Z");
  expect(at("2026-06-15T10:20:30")).toBe("2026-06-15T10:20:30.000Z");
  expect(at("2026-06-15T10:20")).toBe("2026-06-15T10:20:00.000Z");
  expect(at("2026-06-15")).toBe("2026-06-15T00:00:00.000Z");
});

test("what is no moment, or none of the past, is refused with what to write", () => {
  for (const text of [
    "",
    "10",
    "m",
    "10 m",
    "-5m",
    "yesterday",
    "2026",
    "2026-13-45",
    "2026-06-15T25:00:00Z",
    "1,5h",
  ])
    expect(() => momentFrom("since", text, NOW_MS)).toThrow("write how long ago, such as 10m, 2h or 1d");
  expect(() => momentFrom("since", "2026-06-15T12:00:01Z", NOW_MS)).toThrow(
    '--since "2026-06-15T12:00:01Z" lies in the future, it is 2026-06-15T12:00:00.000Z now: write an earlier moment.',
  );
});
