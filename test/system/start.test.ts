import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { callApi, publish } from "../support/api.ts";
import { type Earshot, startEarshot, TEST_APP, temporaryFolder } from "../support/earshot.ts";
import { connectRaw } from "../support/raw-client.ts";
import { until } from "../support/until.ts";
import { refusedStart, runEarshot } from "./program.ts";

let running: Earshot | undefined;

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const given = (id: string, key: string, secret: string) => ["--app", `${id}:${key}:${secret}`];

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the server does not listen");
  return address.port;
}

describe("the data folder", () => {
  test("holds the server's own process id while it runs", async () => {
    running = await startEarshot();
    const file = join(running.dataDir, "earshot.pid");
    expect(Number(readFileSync(file, "utf8"))).toBe(running.pid); // what was started has become the server
    await running.stop();
    expect(existsSync(file)).toBe(false);
  });

  test("belongs to one server: the second says so in one line and exits with 1", async () => {
    running = await startEarshot();
    const line = await refusedStart("--port", "0", "--data", running.dataDir);
    expect(line).toContain(running.dataDir);
    expect(line).toContain(`process ${running.pid}`);
    await publish(running, "news", "greeting", "the first goes on");
  });

  test("is free again after its owner was killed", async () => {
    running = await startEarshot();
    await running.kill();
    await running.restart();
    await publish(running, "news", "greeting", "");
  });

  test("that cannot be made is told in one line", async () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    const line = await refusedStart("--port", "0", "--data", join(file, "data"));
    expect(line).toContain("cannot be written");
    expect(line).toContain("--data");
  });

  test("with a database of a newer version is told in one line, and left as it is", async () => {
    const dataDir = temporaryFolder();
    running = await startEarshot({ dataDir });
    await running.stop();
    const database = new Database(join(dataDir, "earshot.db"));
    database.run("UPDATE earshot_schema SET version = 1000");
    database.close();
    const line = await refusedStart("--port", "0", "--data", dataDir);
    expect(line).toContain("newer");
    const again = new Database(join(dataDir, "earshot.db"));
    expect(again.query("SELECT version FROM earshot_schema").all()).toEqual([{ version: 1000 }]);
    again.close();
    running = undefined;
  });

  test("with a file that is no database is told in one line", async () => {
    const dataDir = temporaryFolder();
    writeFileSync(
      join(dataDir, "earshot.db"),
      "this is no database, however long one looks at it ".repeat(100),
    );
    expect(await refusedStart("--port", "0", "--data", dataDir)).toContain("earshot.db");
  });
});

describe("the address", () => {
  test("with a port in use is told in one line", async () => {
    running = await startEarshot();
    const line = await refusedStart("--port", String(running.port), "--data", temporaryFolder());
    expect(line).toBe(
      `Port ${running.port} is in use: stop the program that has it, or choose another with --port.`,
    );
  });

  test("with a port in use leaves the first start's secrets to the start that shows them", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    const dataDir = temporaryFolder();
    await refusedStart("--port", String(portOf(other)), "--data", dataDir);
    other.close();
    const started = await startEarshot({ dataDir });
    running = started;
    await until("they are shown", () => /operator +operator\n +password +\S+/.test(started.output()));
  });

  test("with a metrics port in use is told in one line", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    const port = String(portOf(other));
    const line = await refusedStart("--port", "0", "--data", temporaryFolder(), "--metrics-port", port);
    expect(line).toContain(`metrics port ${port}`);
    other.close();
  });

  test("that is not of this machine is told in one line", async () => {
    const { exitCode, stderr } = await runEarshot([
      ...["serve", "--port", "0", "--data", temporaryFolder()],
      ...["--host", "192.0.2.1"],
    ]);
    expect(exitCode).toBe(1);
    expect(stderr.trimEnd().split("\n")).toEqual([expect.stringContaining("192.0.2.1")]);
  });
});

describe("--app", () => {
  const other = { id: "8", key: "other-key", secret: "other-secret" };

  test("may be repeated, and makes the apps that are not there", async () => {
    running = await startEarshot({ apps: [TEST_APP, other] });
    expect((await connectRaw(running)).socketId).not.toBe("");
    expect((await connectRaw(running, { key: other.key })).socketId).not.toBe("");
    expect((await callApi({ ...running, app: other }, "GET", "/channels")).status).toBe(200);
  });

  test("finds its app again at the next start", async () => {
    running = await startEarshot();
    await running.updateApp("--client-events", "true");
    await running.restart();
    const shown = await runEarshot(["apps", "show", running.app.id, "--data", running.dataDir]);
    expect(shown.stdout).toMatch(/client-events +true/);
  });

  test("adds a new key of an app that is there; both work", async () => {
    const newPair = { ...TEST_APP, key: "new-key", secret: "new-secret" };
    running = await startEarshot({ apps: [TEST_APP, newPair] });
    for (const app of [TEST_APP, newPair]) {
      const { status } = await callApi({ ...running, app }, "GET", "/channels");
      expect([app.key, status]).toEqual([app.key, 200]);
    }
  });

  test("with another secret for a known key exits with 1, and repeats neither", async () => {
    const dataDir = temporaryFolder();
    running = await startEarshot({ dataDir });
    await running.stop();
    const [id, key] = [TEST_APP.id, TEST_APP.key];
    const line = await refusedStart("--port", "0", "--data", dataDir, ...given(id, key, "a-wrong-one"));
    expect(line).toContain(key);
    expect(line).not.toContain("a-wrong-one");
    expect(line).not.toContain(TEST_APP.secret);
    await running.restart();
    expect((await callApi(running, "GET", "/channels")).status).toBe(200);
  });

  test("with a key of another app exits with 1", async () => {
    const dataDir = temporaryFolder();
    running = await startEarshot({ dataDir });
    await running.stop();
    const line = await refusedStart("--port", "0", "--data", dataDir, ...given("9", TEST_APP.key, "s"));
    expect(line).toContain(TEST_APP.key);
    running = undefined;
  });

  test("that is not three parts exits with 1 and does not repeat what was given", async () => {
    const line = await runEarshot(["serve", "--data", temporaryFolder(), "--app", "7:key-without-secret"]);
    expect(line.exitCode).toBe(1);
    expect(line.stderr).toContain("ID:KEY:SECRET");
    expect(line.stderr).not.toContain("key-without-secret");
  });
});

describe("settings", () => {
  test("that do not exist are refused with the nearest name", async () => {
    const { exitCode, stderr } = await runEarshot(["serve", "--prot", "6001"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("Did you mean --port?");
  });

  test("come from a file, whose folder may be anywhere", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "earshot.toml");
    writeFileSync(file, '[http]\nprefixes = ["/realtime"]\n');
    running = await startEarshot({ args: ["--config", file] });
    expect((await connectRaw(running, { path: `/realtime/app/${running.app.key}` })).socketId).not.toBe("");
  });
});
