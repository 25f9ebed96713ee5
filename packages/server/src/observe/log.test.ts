import { expect, test } from "bun:test";
import { type LogLevel, makeLog } from "./log.ts";

function lines(level: LogLevel = "debug") {
  const written: string[] = [];
  const log = makeLog({ level, write: (line) => written.push(line) });
  return { log, written, parsed: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test("a line is one JSON object with level, time, fields and message", () => {
  const { log, written, parsed } = lines();
  log.info({ app: "7", count: 3 }, "an app was made");
  expect(written).toHaveLength(1);
  expect(written[0]?.endsWith("\n")).toBe(true);
  expect(parsed()[0]).toMatchObject({ level: "info", app: "7", count: 3, message: "an app was made" });
  expect(String(parsed()[0]?.["time"])).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test("a line below the level is not written", () => {
  const { log, written } = lines("warn");
  log.debug({}, "a");
  log.info({}, "b");
  log.warn({}, "c");
  log.error({}, "d");
  expect(written.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual(["c", "d"]);
});

test("a child adds its fields to each line", () => {
  const { log, parsed } = lines();
  log.child({ room: "store" }).child({ app: "7" }).warn({ at: 1 }, "m");
  expect(parsed()[0]).toMatchObject({ room: "store", app: "7", at: 1 });
});

test("secrets are taken out of fields, children, nested fields, errors and messages", () => {
  const { log, written } = lines();
  const hex = "882bbeec4445543a7167e338e988bac8eedc55a58c9ff2e62f27b25ed83466c7";
  log.child({ databasePassword: "swordfish" }).error(
    {
      secret: "swordfish",
      app_secret: "swordfish",
      auth: `9f1c:${hex}`,
      metricsToken: "swordfish",
      nested: {
        password: "swordfish",
        headers: { Authorization: "Bearer swordfish", cookie: "s=swordfish" },
      },
      list: [{ token: "swordfish" }, "postgres://earshot:swordfish@db:5432/x"],
      problem: new Error("cannot connect to postgres://earshot:sword@swordfish@db/x"),
      url: `/apps/7/events?auth_key=9f1c&auth_signature=${hex}`,
      frame: `{"event":"pusher:subscribe","data":{"auth":"9f1c:${hex}","channel":"private-x"}}`,
    },
    `token=swordfish and 9f1c:${hex} and Bearer swordfish`,
  );
  expect(written[0]).not.toContain("swordfish");
  expect(written[0]).not.toContain(hex);
  expect(written[0]).toContain("private-x");
  expect(written[0]).toContain("9f1c");
});

test("what identifies without being secret stays", () => {
  const { log, parsed } = lines();
  const fields = {
    key: "9f1c2e7a",
    socketId: "1.2",
    channel: "private-x",
    address: "10.0.0.1",
    url: "http://h:1/p",
  };
  log.info({ ...fields, authorized: true }, "m");
  expect(parsed()[0]).toMatchObject({ ...fields, authorized: true });
});

test("a cycle, a bigint and a map do not stop a line", () => {
  const { log, parsed } = lines();
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  log.info({ cycle, big: 5n, map: new Map([[1, 2]]) }, "m");
  expect(parsed()[0]).toMatchObject({ big: "5", map: "[Map of 1]" });
});
