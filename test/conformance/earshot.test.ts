/** The conformance kit, as the program that strangers run, against Earshot itself. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Earshot, type GivenApp, startEarshot, TEST_APP, temporaryFolder } from "../support/earshot.ts";
import { collect, runProgram, spawnProgram } from "../support/program.ts";

const PREFIX = "/realtime";
const NO_CLIENT_EVENTS: GivenApp = { id: "8", key: "8000c2e7a4b5d6083c1a", secret: "quiet-secret" };
const TLS_ONLY: GivenApp = { id: "9", key: "9000c2e7a4b5d6083c1a", secret: "tls-secret" };
const WHOLE_MS = 240_000; // ours: the kit waits in many places for what should not come

let earshot: Earshot;

beforeAll(async () => {
  earshot = await startEarshot({ args: ["--prefix", PREFIX], apps: [TEST_APP, NO_CLIENT_EVENTS, TLS_ONLY] });
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
  const file = join(temporaryFolder(), "results.json");
  const target = ["--url", server.url, "--app", `${app.id}:${app.key}:${app.secret}`, "--json", file];
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

const WEBHOOKS = [100, 101, 102, 103, 104, 105, 106, 107, 108];

test(
  "Earshot passes each line that one node and one app can show",
  async () => {
    expect(await conformance(earshot, TEST_APP, "--prefix", PREFIX)).toEqual({
      code: 0,
      count: 121,
      failed: [],
      skipped: [14, 15, 16, 17, 22, 24, 56, 66, ...WEBHOOKS],
    });
  },
  WHOLE_MS,
);

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
