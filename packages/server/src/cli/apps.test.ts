import { expect, test } from "bun:test";
import { DEFAULT_LIMITS, LIMIT_NAMES, LIMITS } from "@earshot/protocol/limits";
import { useFolders } from "./testing/folders.ts";
import { run } from "./testing/person.ts";

const newFolder = useFolders();

interface ShownApp {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly keys: readonly { key: string; secret?: string; revoked: boolean }[];
  readonly limits: Readonly<Record<string, number>>;
  readonly features: Readonly<Record<string, boolean>>;
  readonly allowedOrigins: readonly string[];
  readonly quotas: readonly { readonly prefix: string; readonly maxSubscriptions: number }[];
}

function commands() {
  const data = ["--data", newFolder()];
  const text = async (...args: string[]) => await run(["apps", ...args, ...data]);
  const json = async (...args: string[]): Promise<ShownApp> => {
    const { code, out, err } = await run(["apps", ...args, "--json", ...data]);
    if (code !== 0) throw new Error(err);
    return JSON.parse(out) as ShownApp;
  };
  return { text, json };
}

test("a created app is listed and shown; its secret only where it is asked for", async () => {
  const { text, json } = commands();
  const { id, keys } = await json("create", "--name", "Shop", "--client-events", "true");
  const { key = "", secret = "" } = keys[0] ?? {};
  expect(secret).toMatch(/^[0-9a-f]{40}$/);
  const list = await text("list");
  expect(list.out).toContain(id);
  expect(list.out).toContain(key);
  expect(list.out).toContain("Shop");
  const asked = await text("show", id, "--secrets");
  expect(asked.out).toContain(secret);
  expect(asked.out).toMatch(/^client-events +true$/m);
  const listAsJson = await text("list", "--json");
  const shownAsJson = await text("show", id, "--json");
  for (const { out } of [list, listAsJson, shownAsJson, await text("show", id), await text("update", id)]) {
    expect(out).not.toContain(secret);
  }
  expect((await json("show", id, "--secrets")).keys[0]?.secret).toBe(secret);
});

test("create for a person prints id, key and secret", async () => {
  const { out } = await commands().text("create");
  expect(out).toMatch(/^id {6}\d+\nkey {5}[0-9a-f]{20}\nsecret {2}[0-9a-f]{40}$/);
});

test("update changes switches, origins and every limit", async () => {
  const { json } = commands();
  const { id } = await json("create");
  const origins = [
    "--allowed-origin",
    "https://a.example.com",
    "--allowed-origin",
    "https://*.b.example.com",
  ];
  const flags = [
    "--enabled",
    "false",
    "--subscription-count",
    "true",
    "--max-connections",
    "5",
    "--cache-ttl-seconds=60",
  ];
  expect(await json("update", id, ...flags, ...origins)).toMatchObject({
    enabled: false,
    features: { clientEvents: false, subscriptionCount: true, watchlist: false },
    limits: { ...DEFAULT_LIMITS, maxConnections: 5, cacheTtlSeconds: 60 },
    allowedOrigins: ["https://a.example.com", "https://*.b.example.com"],
  });
  expect(
    await json("update", id, "--max-connections", "default", "--allowed-origin", "", "--name", "x"),
  ).toMatchObject({
    name: "x",
    enabled: false,
    limits: { ...DEFAULT_LIMITS, cacheTtlSeconds: 60 },
    allowedOrigins: [],
  });
  for (const name of LIMIT_NAMES) {
    const flag = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const { min } = LIMITS[name];
    expect((await json("update", id, `--${flag}`, String(min))).limits[name]).toBe(min);
  }
});

test("quotas are replaced as a whole, shown, and taken away", async () => {
  const { text, json } = commands();
  const { id } = await json("create", "--quota", "private-user-*=10");
  const two = ["--quota", "private-user-*=10", "--quota", "x*: 3"];
  expect((await json("update", id, ...two)).quotas).toEqual([
    { prefix: "private-user-", maxSubscriptions: 10 },
    { prefix: "x", maxSubscriptions: 3 },
  ]);
  expect((await text("show", id)).out).toMatch(/^quota +private-user-\*=10 x\*=3$/m);
  expect((await json("update", id, "--name", "x")).quotas).toHaveLength(2);
  expect((await json("update", id, "--no-quotas")).quotas).toEqual([]);
  await json("update", id, ...two);
  expect((await json("update", id, "--quota", "")).quotas).toEqual([]);
  expect((await text("show", id)).out).toMatch(/^quota +none$/m);
  const both = await text("update", id, "--quota", "a*=1", "--no-quotas");
  expect(both.err).toBe(
    '--quota "a*=1" and --no-quotas contradict each other: give --quota alone, it replaces all quotas.',
  );
});

test("a wrong change is refused in one line", async () => {
  const { text, json } = commands();
  const { id } = await json("create");
  const wrong: readonly (readonly [string[], string])[] = [
    [
      ["--enabled", "maybe"],
      `--enabled = "maybe" is neither true nor false: write --enabled true, or --enabled false.`,
    ],
    [
      ["--max-connections", "many"],
      `--max-connections = "many" is not a whole number: write one, or "default" to return to the default.`,
    ],
    [
      ["--max-channel-name-chars", "201"],
      "Limit maxChannelNameChars = 201 is not valid: use a whole number of characters from 1 to 200.",
    ],
    [["--client-event", "true"], "There is no flag --client-event here. Did you mean --client-events?"],
  ];
  for (const [flags, err] of wrong)
    expect(await text("update", id, ...flags)).toEqual({ code: 1, out: "", err });
});

test("a rotated key is added and told with its secret; the old one goes with revoke-key", async () => {
  const { text, json } = commands();
  const first = await json("create");
  const old = first.keys[0]?.key ?? "";
  expect((await text("revoke-key", first.id, old)).err).toContain("the last active key");
  const rotated = await json("rotate-key", first.id);
  expect(rotated.keys.map(({ secret }) => secret === undefined)).toEqual([true, false]);
  expect((await json("revoke-key", first.id, old)).keys.map(({ revoked }) => revoked)).toEqual([true, false]);
  const last = rotated.keys[1]?.key ?? "";
  expect((await json("revoke-key", first.id, last, "--force")).keys.every(({ revoked }) => revoked)).toBe(
    true,
  );
});

test("a deleted app is gone", async () => {
  const { text, json } = commands();
  const { id } = await json("create");
  expect(await text("delete", id)).toEqual({ code: 0, out: `App ${id} is deleted.`, err: "" });
  expect((await text("show", id)).err).toBe(`There is no app "${id}": see "earshot apps list".`);
  expect((await text("list")).out).toContain("There are no apps yet");
});

test("a name cannot command the terminal", async () => {
  const { text } = commands();
  const { code, err } = await text("create", "--name", "a\u001b]0;b\u0007\nc");
  expect(code).toBe(1);
  expect(err).toContain('App name "a\\u001b]0;b\\u0007\\nc" is not valid');
  expect([..."\u001b\u0007"].some((control) => err.includes(control))).toBe(false);
});
