/** How a server ends: it sends its clients to the next process, and waits for them, but not without end. */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Earshot, startEarshot, TEST_APP, temporaryFolder } from "../support/earshot.ts";
import { withoutSettings } from "../support/environment.ts";
import { connectRaw } from "../support/raw-client.ts";
import { connectTcp } from "../support/tcp-client.ts";
import { until } from "../support/until.ts";

const ROOT = join(import.meta.dir, "../..");

let earshot: Earshot | undefined;

afterEach(() => earshot?.stop());

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s closes every client with 4200 and ends with exit code 0",
  async (signal) => {
    const server = await startEarshot();
    earshot = server;
    const clients = [await connectRaw(server), await connectRaw(server)];
    process.kill(server.pid, signal);
    for (const client of clients) {
      expect(await client.closed).toEqual({ code: 4200, reason: "Please reconnect immediately" });
      expect((await client.next("pusher:error")).data).toMatchObject({ code: 4200 });
    }
    expect(await server.stop()).toBe(0);
    expect(existsSync(join(server.dataDir, "earshot.pid"))).toBe(false);
  },
);

test("nobody is told of the others' departure", async () => {
  earshot = await startEarshot();
  const member = (id: string) => ({ channel_data: JSON.stringify({ user_id: id }) });
  const one = await connectRaw(earshot);
  const other = await connectRaw(earshot);
  await one.subscribe("presence-room", member("1"));
  await other.subscribe("presence-room", member("2"));
  await one.next("pusher_internal:member_added");
  await earshot.stop();
  await Promise.all([one.closed, other.closed]);
  for (const { frames } of [one, other]) {
    expect(frames.map(({ event }) => event)).not.toContain("pusher_internal:member_removed");
  }
});

test("a client that does not answer the close holds nothing up for longer than the grace", async () => {
  earshot = await startEarshot({ args: ["--shutdown-grace-seconds", "1"] });
  const client = await connectTcp(earshot);
  await client.next("pusher:connection_established");
  const startMs = performance.now();
  expect(await earshot.stop()).toBe(0);
  expect(performance.now() - startMs).toBeLessThan(5_000);
});

test("a signal that comes twice, from the terminal and from npm, counts once", async () => {
  const server = await startEarshot();
  earshot = server;
  const client = await connectRaw(server);
  process.kill(server.pid, "SIGINT");
  process.kill(server.pid, "SIGINT");
  expect((await client.closed).code).toBe(4200);
  await until("the server's process is gone", () => !isAlive(server.pid));
  expect(await server.stop()).toBe(0);
});

test("the next server on the folder takes the clients over", async () => {
  earshot = await startEarshot();
  const before = await connectRaw(earshot);
  await earshot.restart();
  expect((await before.closed).code).toBe(4200);
  expect((await connectRaw(earshot)).socketId).not.toBe("");
});

describe("started by npx", () => {
  test.each(["SIGKILL", "SIGTERM"] as const)("stops by itself when npx has got %s", async (signal) => {
    const dataDir = temporaryFolder();
    const app = `${TEST_APP.id}:${TEST_APP.key}:${TEST_APP.secret}`;
    const flags = ["--host", "127.0.0.1", "--port", "0", "--data", dataDir, "--app", app];
    const npx = Bun.spawn(["npx", "earshot", "serve", ...flags], {
      cwd: ROOT,
      env: withoutSettings(),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    const pidFile = join(dataDir, "earshot.pid");
    const urlFile = join(dataDir, "earshot.url");
    await until("the server runs", () => existsSync(urlFile), 30_000);
    const pid = Number(readFileSync(pidFile, "utf8"));
    expect(pid).not.toBe(npx.pid);
    const url = readFileSync(urlFile, "utf8").trim();
    const client = await connectRaw(likeEarshot(url, dataDir, pid));

    npx.kill(signal);
    expect((await client.closed).code).toBe(4200);
    await until("the server's process is gone", () => !isAlive(pid));
    expect(existsSync(pidFile)).toBe(false);
  });
});

/** A server that another program has started, as far as clients need to know it. */
function likeEarshot(url: string, dataDir: string, pid: number): Earshot {
  const { hostname, port } = new URL(url);
  const notOurs = () => Promise.reject(new Error("this server was started by npx"));
  return {
    ...{ url, host: hostname, port: Number(port), app: TEST_APP, dataDir, pid },
    ...{ output: () => "", updateApp: notOurs, stop: notOurs, kill: notOurs, restart: notOurs },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
