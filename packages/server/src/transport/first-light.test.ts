import { expect, test } from "bun:test";
import { type App, makeApp } from "#core/app";
import { nativeDigest } from "./digest.ts";
import { type FirstLightParts, firstLightPages } from "./first-light.ts";

const pair = (key: string, createdMs: number, revoked = false) => ({
  key,
  secret: `${key}-secret`,
  createdMs,
  revoked,
});

function ask(path: string, parts: Partial<FirstLightParts> = {}): Response | Promise<Response> | undefined {
  const app: App = makeApp({ id: "7", keys: [pair("old", 1), pair("new", 2), pair("revoked", 3, true)] });
  const pages = firstLightPages({
    app: () => app,
    url: () => "http://127.0.0.1:6001",
    digest: nativeDigest(),
    clock: { monotonicMs: () => 0, wallMs: () => 1_700_000_000_500 },
    command: "npx earshot",
    ...parts,
  });
  return pages(path);
}

async function textOf(path: string, parts?: Partial<FirstLightParts>): Promise<string> {
  return (await (await ask(path, parts))?.text()) ?? "";
}

test("tells the newest active key, and commands that hold no secret", async () => {
  const text = await textOf("/first-light/state/hello");
  expect(JSON.parse(text)).toEqual({
    url: "http://127.0.0.1:6001",
    appId: "7",
    key: "new",
    trigger: `npx earshot trigger hello greeting '{"text":"Hello from the terminal"}'`,
    curl: expect.stringContaining("auth_timestamp=1700000000"),
  });
  expect(text).not.toContain("secret");
});

test("names the flags that lead to this server, as a shell reads them", async () => {
  const { trigger } = JSON.parse(
    await textOf("/first-light/state/hello", { triggerFlags: ["--data", "/var/my data"] }),
  );
  expect(trigger).toStartWith("npx earshot trigger --data '/var/my data' hello greeting ");
});

test("writes a channel whose name looks like a flag, or like shell, as a name", async () => {
  expect(JSON.parse(await textOf("/first-light/state/--url")).trigger).toStartWith(
    "npx earshot trigger -- --url greeting ",
  );
  expect(JSON.parse(await textOf("/first-light/state/a%3Bb")).trigger).toStartWith(
    "npx earshot trigger 'a;b' greeting ",
  );
});

test.each([
  ["/first-light/state/private-a", "choose a public channel"],
  ["/first-light/state/a%20b", "Invalid channel name a b"],
  ["/first-light/state/%ff", "Invalid channel name %ff"],
  ["/first-light/state/", "Invalid channel name"],
])("refuses %s", async (path, why) => {
  expect((await ask(path))?.status).toBe(400);
  expect(await textOf(path)).toContain(why);
});

test("says how to make an app where there is none, or none with an active key", async () => {
  const keyless = makeApp({ id: "7", keys: [pair("revoked", 1, true)] });
  for (const app of [undefined, keyless]) {
    const parts = { app: () => app };
    expect((await ask("/first-light/state/hello", parts))?.status).toBe(404);
    expect(await textOf("/first-light/state/hello", parts)).toContain("npx earshot apps create");
  }
});

test("serves its own files, and lets nothing else run", async () => {
  for (const path of [
    "/",
    "/first-light/page.js",
    "/first-light/page.css",
    "/first-light/icon.svg",
    "/first-light/pusher.js",
  ]) {
    const answer = await ask(path);
    expect([path, answer?.status]).toEqual([path, 200]);
    expect(answer?.headers.get("content-security-policy")).toStartWith(
      "default-src 'none'; script-src 'self'; ",
    );
  }
  for (const path of [
    "/first-light",
    "/first-light/",
    "/first-light/../server.ts",
    "/first-light/tsconfig.json",
    "/x",
  ]) {
    expect([path, ask(path)]).toEqual([path, undefined]);
  }
});
