import { expect, test } from "bun:test";
import { healthz, readyz } from "./health.ts";

test("a process that answers is alive", async () => {
  expect(healthz().status).toBe(200);
  expect(await healthz().text()).toBe("ok\n");
});

test("a process is ready, or says why it is not", async () => {
  expect(readyz(() => ({ isReady: true })).status).toBe(200);
  const answer = readyz(() => ({ isReady: false, why: "it is shutting down" }));
  expect(answer.status).toBe(503);
  expect(await answer.text()).toBe("not ready: it is shutting down\n");
});
