import { expect, test } from "bun:test";
import { after, afterAll, attempt } from "./answer.ts";

test("goes on in the same turn where the answer is there", () => {
  expect(after(1, (value) => value + 1)).toBe(2);
  expect(afterAll([1, 2])).toEqual([1, 2]);
  expect(afterAll([])).toEqual([]);
});

test("goes on later where it is a promise", async () => {
  const later = after(Promise.resolve(1), (value) => value + 1);
  expect(later).toBeInstanceOf(Promise);
  expect(await later).toBe(2);
});

test("waits for all answers where one is a promise, and keeps their order", async () => {
  const slow = new Promise<number>((resolve) => setTimeout(() => resolve(1), 1));
  expect(await afterAll([slow, 2, Promise.resolve(3)])).toEqual([1, 2, 3]);
});

test("passes failures on", async () => {
  const failed = after(Promise.reject(new Error("no answer")), () => 1);
  expect(await Promise.resolve(failed).catch(String)).toBe("Error: no answer");
});

test("goes on with what was thrown, at once or later", async () => {
  const thrown = () => {
    throw new Error("no answer");
  };
  expect(attempt(() => 1, String, String)).toBe("1");
  expect(attempt(thrown, String, String)).toBe("Error: no answer");
  expect(await attempt(() => Promise.resolve(1), String, String)).toBe("1");
  expect(await attempt(() => Promise.reject(new Error("no answer")), String, String)).toBe(
    "Error: no answer",
  );
});

test("does not take a failure of what follows for one of the answer", async () => {
  const next = () => {
    throw new Error("later");
  };
  expect(() =>
    attempt(
      () => 1,
      next,
      () => "failed",
    ),
  ).toThrow("later");
  const answer = attempt(
    () => Promise.resolve(1),
    next,
    () => "failed",
  );
  expect(await Promise.resolve(answer).catch(String)).toBe("Error: later");
});
