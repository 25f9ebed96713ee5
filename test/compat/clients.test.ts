/** The official client and back-end library, unchanged, in Node and in Bun: each step of the scenario in both. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { type Runtime, startStep } from "./clients/step.ts";

const RUNTIMES: readonly Runtime[] = ["node", "bun"];

const STEPS = [
  ["connect", "connects"],
  ["public", "receives the events of a public channel"],
  ["private", "receives the events of a private channel"],
  ["presence", "sees two users come and go on a presence channel, each once"],
  ["client events", "exchanges client events on private and presence channels"],
  ["encrypted", "decrypts the events of encrypted channels"],
  ["cache", "is given the last event of each kind of cache channel, or told that there is none"],
  ["exclusion", "does not hear an event that excludes its socket id, on any channel of the list"],
  ["counts", "is told how many are subscribed"],
  ["refusal", "is told of a refused subscription, and stays connected"],
  ["state", "asks the API who is there"],
  ["unsubscribe", "hears nothing after it unsubscribed, and can come back"],
] as const;

const TRANSPORTS = ["ws", "xhr_streaming", "xhr_polling"] as const;
const WAYS = RUNTIMES.flatMap((runtime) => TRANSPORTS.map((transport) => [runtime, transport] as const));

describe.each(WAYS)("pusher-js and pusher in %s over %s", (runtime, transport) => {
  const more = { TRANSPORT: transport };
  let earshot: Earshot;

  beforeAll(async () => {
    earshot = await startEarshot();
    await earshot.updateApp("--client-events", "true", "--subscription-count", "true");
  });

  afterAll(async () => {
    await earshot.stop();
  });

  test.each(STEPS)("%s: %s", async (step) => {
    await startStep(runtime, step, earshot, more).done();
  });

  test("comes back to all its channels after the server was killed and started again", async () => {
    const client = startStep(runtime, "reconnect", earshot, more);
    await client.says("ready");
    await earshot.kill();
    await earshot.restart();
    await client.done();
  });
});

test("both come back to all their channels after the server was stopped and started again", async () => {
  const earshot = await startEarshot();
  try {
    const steps = RUNTIMES.map((runtime) => startStep(runtime, "reconnect", earshot));
    await Promise.all(steps.map((step) => step.says("ready")));
    await earshot.restart();
    await Promise.all(steps.map((step) => step.done()));
  } finally {
    await earshot.stop();
  }
});

test("a step that fails is seen to fail", async () => {
  const earshot = await startEarshot();
  try {
    const stranger = { ...earshot, app: { ...earshot.app, key: "nobody" } };
    const step = startStep("node", "connect", stranger, { PATIENCE_MS: "500" });
    await expect(step.done()).rejects.toThrow(/waited in vain for connected/);
  } finally {
    await earshot.stop();
  }
});
