import { expect, test } from "bun:test";
import { parseGivenApp, problemOfGivenApp } from "./given-app.ts";

test("an app is given as ID:KEY:SECRET", () => {
  expect(parseGivenApp("7:k:s")).toEqual({ id: "7", key: "k", secret: "s" });
  for (const text of ["", "7", "7:k", "7:k:", ":k:s", "7::s", "7:k:s:x"])
    expect(parseGivenApp(text)).toBeUndefined();
});

test("the problem of a bad app names the part and keeps the secret", () => {
  expect(problemOfGivenApp("7:k:s")).toBeUndefined();
  expect(problemOfGivenApp("7/8:k:swordfish")).toStartWith(`cannot be an app: App id "7/8" is not valid`);
  expect(problemOfGivenApp("7:k:sword fish")).toStartWith(
    "cannot be an app: The secret of key k is not valid",
  );
  expect(problemOfGivenApp("7:k:sword fish")).not.toContain("fish");
});
