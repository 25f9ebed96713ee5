/** The conformance kit, as the program that strangers run, against Earshot itself. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { WEBHOOK_NAMES } from "@earshot/protocol/webhook";
import { type Earshot, type GivenApp, startEarshot, TEST_APP, temporaryFolder } from "../support/earshot.ts";
import { collect, runProgram, spawnProgram } from "../support/program.ts";
import { until } from "../support/until.ts";
import { addWebhook } from "../support/webhook-endpoint.ts";

const PREFIX = "/realtime";
const NO_CLIENT_EVENTS: GivenApp = { id: "8", key: "8000c2e7a4b5d6083c1a", secret: "quiet-secret" };
const TLS_ONLY: GivenApp = { id: "9", key: "9000c2e7a4b5d6083c1a", secret: "tls-secret" };
const VACATED_DELAY_MS = 1_500; // half of the real time
const WHOLE_MS = 240_000; // ours: the kit waits in many places for what should not come

let earshot: Earshot;

beforeAll(async () => {
  const delays = ["--occupancy-vacated-delay-ms", String(VACATED_DELAY_MS), "--occupancy-settle-ms", "0"];
  const args = ["--prefix", PREFIX, ...delays, "--webhooks-retry-base-ms", "100"];
  earshot = await startEarshot({ args, apps: [TEST_APP, NO_CLIENT_EVENTS, TLS_ONLY] });
  await runProgram(["apps", "update", TLS_ONLY.id, "--tls-only", "true", "--data", earshot.dataDir]);
  const switches = ["--client-events", "true", "--subscription-count", "true", "--watchlist", "true"];
  await earshot.updateApp(...switches); // and waits for both changes
});
afterAll(async () => {
  await earshot.stop();
});

interface Written {
  readonly checks: readonly { readonly number: number; readonly outcome: string; readonly seen: string }[];
}

/** Runs the kit. The checks that did not pass, and the exit code. */
async function conformance(server: Earshot, app: GivenApp, ...args: string[]) {
  return await runKit(app, "--url", server.url, ...args);
}

async function runKit(app: GivenApp, ...args: string[]) {
  const file = join(temporaryFolder(), "results.json");
  const target = ["--app", `${app.id}:${app.key}:${app.secret}`, "--json", file];
  const child = spawnProgram(["conformance", ...target, ...args]);
  const said: string[] = [];
  await Promise.all([collect(child.stdout, said), collect(child.stderr, said), child.exited]);
  const { checks } = JSON.parse(readFileSync(file, "utf8")) as Written; // the program has just written it
  return {
    code: child.exitCode,
    count: checks.length,
    failed: checks.filter(({ outcome }) => outcome === "fail"),
    skipped: checks.filter(({ outcome }) => outcome === "skip").map(({ number }) => number),
  };
}

/** The apps of a data folder and their endpoints. */
async function listed(dataDir: string): Promise<string[]> {
  const lists = ["apps", "webhooks"].map((each) => runProgram([each, "list", "--data", dataDir, "--json"]));
  return await Promise.all(lists);
}

const DELAY = ["--webhook-delay-ms", String(VACATED_DELAY_MS)];

test(
  "Earshot passes each line that one node can show, and the kit leaves nothing behind in its data folder",
  async () => {
    const { dataDir } = earshot;
    const before = await listed(dataDir);
    expect(await runKit(TEST_APP, "--data", dataDir, "--prefix", PREFIX, ...DELAY)).toEqual({
      code: 0,
      count: 121,
      failed: [],
      skipped: [14, 15, 16, 17, 22, 24, 56, 66],
    });
    expect(await listed(dataDir)).toEqual(before);
  },
  WHOLE_MS,
);

test("a run that is interrupted takes its endpoints and its second app away", async () => {
  const { dataDir } = earshot;
  const before = await listed(dataDir);
  const child = spawnProgram(["conformance", "--data", dataDir, "--only", "K"]);
  await until("the endpoints are there", async () => (await listed(dataDir))[1] !== before[1]);
  child.kill("SIGINT");
  expect(await child.exited).toBe(130);
  expect(await listed(dataDir)).toEqual(before);
});

test("Earshot passes the lines about webhooks like a server that was told beforehand where the kit listens", async () => {
  const listen = `127.0.0.1:${freePort()}`;
  const filter = { events: ["channel_occupied"], prefix: "private-" } as const;
  for (const { id: appId } of [TEST_APP, NO_CLIENT_EVENTS]) {
    await addWebhook(earshot, `http://${listen}/`, { appId, events: WEBHOOK_NAMES });
    await addWebhook(earshot, `http://${listen}/?events=channel_occupied&prefix=private-`, {
      appId,
      ...filter,
    });
  }
  const { id, key, secret } = NO_CLIENT_EVENTS;
  const told = ["--webhook-listen", listen, "--second-app", `${id}:${key}:${secret}`, ...DELAY];
  expect(await conformance(earshot, TEST_APP, "--only", "K", ...told)).toEqual({
    code: 0,
    count: 9,
    failed: [],
    skipped: [],
  });
});

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  listener.stop(true);
  return listener.port;
}

test("Earshot passes the lines that need an app without client events, and one for TLS alone", async () => {
  const passed = { code: 0, count: 1, failed: [], skipped: [] };
  expect(await conformance(earshot, NO_CLIENT_EVENTS, "--only", "66")).toEqual(passed);
  expect(await conformance(earshot, TLS_ONLY, "--only", "24")).toEqual(passed);
});

test("Earshot passes the lines that wait for its time-outs, and the one that stops it", async () => {
  const brisk = await startEarshot({
    args: ["--socket-activity-timeout-seconds", "1", "--socket-pong-timeout-seconds", "1"],
  });
  const lines = ["--only", "14,15,16,17,22", "--slow", "--stop-pid", String(brisk.pid)];
  expect(await conformance(brisk, TEST_APP, ...lines)).toEqual({
    code: 0,
    count: 5,
    failed: [],
    skipped: [],
  });
  expect(await brisk.stop()).toBe(0);
});
