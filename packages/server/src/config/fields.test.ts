import { expect, test } from "bun:test";
import { flagOf, SETTING_PATHS, settingRow, variableOf } from "./fields.ts";

test("flags and variables are unique", () => {
  expect(new Set(SETTING_PATHS.map(flagOf)).size).toBe(SETTING_PATHS.length);
  expect(new Set(SETTING_PATHS.map(variableOf)).size).toBe(SETTING_PATHS.length);
});

test("flags and variables follow from the path unless the row says otherwise", () => {
  expect([flagOf("http.maxBodyBytes"), variableOf("http.maxBodyBytes")]).toEqual([
    "http-max-body-bytes",
    "EARSHOT_HTTP_MAX_BODY_BYTES",
  ]);
  expect([flagOf("data.dir"), variableOf("data.dir")]).toEqual(["data", "EARSHOT_DATA"]);
});

test("no path is the beginning of another", () => {
  for (const path of SETTING_PATHS)
    expect(SETTING_PATHS.some((other) => other.startsWith(`${path}.`))).toBe(false);
});

test("every default is one that its row lets through, and every doc is a sentence", () => {
  for (const path of SETTING_PATHS) {
    const row = settingRow(path);
    expect(row.doc).toMatch(/[.]$/);
    if (row.type === "integer") expect(row.default >= row.min && row.default <= row.max).toBe(true);
    if (row.type === "string") expect(row.problem?.(row.default)).toBeUndefined();
  }
});
