import { expect, test } from "bun:test";
import { run } from "./testing/person.ts";

test("print shows the settings in effect with their origin, and no secret", async () => {
  const { code, out } = await run(["config", "print", "--port", "7001", "--app", "1:2:swordfish"], {
    EARSHOT_DEV: "true",
  });
  expect(code).toBe(0);
  expect(out).toMatch(/^http\.port = 7001 +# --port$/m);
  expect(out).toMatch(/^http\.host = "127\.0\.0\.1" +# default with --dev$/m);
  expect(out).toMatch(/^apps\.given = set +# --app$/m);
  expect(out).not.toContain("swordfish");
});

test("print --json is one object", async () => {
  const { out } = await run(["config", "print", "--json", "--metrics-token", "swordfish"]);
  expect(JSON.parse(out)).toMatchObject({
    "http.port": { value: "6001", origin: "default" },
    "metrics.token": { value: "set", origin: "--metrics-token" },
  });
  expect(out).not.toContain("swordfish");
});

test("check says that all is in order, or everything that is not", async () => {
  expect(await run(["config", "check"])).toEqual({ code: 0, out: "The settings are in order.", err: "" });
  const { code, err } = await run(["config", "check", "--port", "x"], { EARSHOT_LOG_LEVEL: "y" });
  expect(code).toBe(1);
  expect(err.split("\n")).toHaveLength(2);
});
