/** Secrets are shown once, to the person who starts the server for the first time, and never again. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { callApi, publish } from "../support/api.ts";
import { type Earshot, type GivenApp, startEarshot, temporaryFolder } from "../support/earshot.ts";
import { collect, spawnProgram } from "../support/program.ts";
import { authFor, connectRaw } from "../support/raw-client.ts";
import { until } from "../support/until.ts";
import { runEarshot } from "./program.ts";

const TOKEN = "a-metrics-token-that-nobody-guesses";

const dataDir = temporaryFolder();
let firstOutput: string;
let app: GivenApp;
let password: string;
let earshot: Earshot;
/** Signatures that were sent. */
const signatures: string[] = [];

beforeAll(async () => {
  firstOutput = await firstStart();
  const shown = (name: string) => new RegExp(`^  ${name} +(\\S+)$`, "m").exec(firstOutput)?.[1] ?? "";
  app = { id: shown("app id"), key: shown("key"), secret: shown("secret") };
  password = shown("password");
  earshot = await startEarshot({
    dataDir,
    apps: [app],
    args: ["--log-level", "debug", "--metrics-token", TOKEN, "--dev"],
  });
  await makeTrouble();
});

afterAll(() => earshot.stop());

/** What the very first start on the folder prints, up to the moment when it listens. */
async function firstStart(): Promise<string> {
  const child = spawnProgram(["serve", "--host", "127.0.0.1", "--port", "0", "--data", dataDir]);
  const output: string[] = [];
  const ended = Promise.all([collect(child.stdout, output), collect(child.stderr, output)]);
  await until("it has started", () => output.join("").includes('"started"'));
  child.kill("SIGTERM");
  await Promise.all([ended, child.exited]);
  return output.join("");
}

/** Everything that goes wrong with secrets in the hands of clients and back-ends, and some of what goes right. */
async function makeTrouble(): Promise<void> {
  const client = await connectRaw(earshot);
  const right = authFor(earshot, client.socketId, "private-a");
  const wrong = authFor({ ...earshot, app: { ...app, secret: "wrong" } }, client.socketId, "private-b");
  signatures.push(right.slice(-64), wrong.slice(-64));
  await client.subscribe("private-a", { auth: right });
  await client.subscribe("private-b", { auth: wrong });
  await client.subscribe("private-c", { auth: `${app.secret}:${app.secret}` });
  client.send(`not JSON, but "auth":"${right}" and secret=${app.secret}`);
  await client.settled();
  await publish(earshot, "news", "greeting", "");
  await callApi(earshot, "GET", "/channels", { secret: "wrong" });
  await callApi(earshot, "GET", "/channels", { key: app.secret });
  await connectRaw(earshot, { key: `nobody?auth=${right}` });
  for (const token of [TOKEN, "wrong"]) {
    await fetch(`${earshot.url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  }
  client.close();
  await client.closed;
}

test("the first start generates and shows them", () => {
  expect(app.secret).toMatch(/^[0-9a-f]{40}$/);
  expect(password.length).toBeGreaterThanOrEqual(20);
  for (const secret of [app.secret, password]) expect(firstOutput.split(secret).length - 1).toBe(1);
  const logged = firstOutput.split("\n").filter((line) => line.startsWith("{"));
  expect(logged.length).toBeGreaterThan(0);
  for (const line of logged) for (const secret of [app.secret, password]) expect(line).not.toContain(secret);
});

test("a later start shows none, whatever clients and back-ends do", () => {
  const output = earshot.output();
  expect(output).toContain('"level":"debug"');
  for (const secret of [app.secret, password, TOKEN, ...signatures]) expect(output).not.toContain(secret);
});

describe("commands show none without being asked", () => {
  test.each([
    "apps list",
    "apps list --json",
    "apps show ID --json",
    "apps update ID --name Renamed",
    "config print",
    "config print --json",
  ])("%s", async (command) => {
    const words = command.split(" ").map((word) => (word === "ID" ? app.id : word));
    const settings = {
      EARSHOT_APP: `${app.id}:${app.key}:${app.secret}`,
      EARSHOT_DATABASE: `postgres://earshot:${password}@127.0.0.1/earshot`,
    };
    const env = command.startsWith("config") ? settings : {};
    const { exitCode, stdout, stderr } = await runEarshot([...words, "--data", dataDir], env);
    expect(exitCode).toBe(0);
    for (const secret of [app.secret, password]) expect(stdout + stderr).not.toContain(secret);
  });

  test("apps show, but with --secrets it does", async () => {
    const show = ["apps", "show", app.id, "--data", dataDir];
    expect((await runEarshot(show)).stdout).not.toContain(app.secret);
    expect((await runEarshot([...show, "--secrets"])).stdout).toContain(app.secret);
  });
});
