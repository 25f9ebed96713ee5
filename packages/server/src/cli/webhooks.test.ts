import { afterAll, expect, test } from "bun:test";
import { signWebhook } from "@earshot/protocol/signature";
import { digest } from "../../../../test/support/digest.ts";
import { startWebhookReceiver, stopWebhookReceivers } from "../../../../test/support/webhook-receiver.ts";
import { useFolders } from "./testing/folders.ts";
import { run } from "./testing/person.ts";

const newFolder = useFolders();

afterAll(stopWebhookReceivers);

interface ShownEndpoint {
  readonly id: string;
  readonly appId: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly prefix: string;
  readonly suffix: string;
  readonly batch: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly enabled: boolean;
  readonly createdMs: number;
}

interface ShownApp {
  readonly keys: readonly { readonly key: string; readonly secret?: string }[];
}

const URL_A = "https://a.example.com/webhooks";
const URL_B = "http://127.0.0.1:9000/b";

/** A data folder with one app, and commands on it. */
async function stage() {
  const data = ["--data", newFolder()];
  const say = (...args: string[]) => run([...args, ...data]);
  const json = async <T = ShownEndpoint>(...args: string[]): Promise<T> => {
    const { code, out, err } = await say(...args, "--json");
    if (code !== 0) throw new Error(err);
    return JSON.parse(out) as T; // what the command just printed
  };
  const { id: app } = await json<{ id: string }>("apps", "create");
  return { app, say, json };
}

test("an added endpoint wants all states of all channels, unless it is told otherwise", async () => {
  const { app, json } = await stage();
  const plain = await json("webhooks", "add", "--app", app, "--url", URL_A);
  expect(plain).toEqual({
    appId: app,
    id: plain.id,
    url: URL_A,
    events: ["channel_occupied", "channel_vacated", "member_added", "member_removed"],
    prefix: "",
    suffix: "",
    batch: true,
    headers: {},
    enabled: true,
    createdMs: expect.any(Number),
  });
  const choices = ["--prefix", "private-", "--suffix=-live", "--batch", "false", "--enabled", "false"];
  const chosen = await json(
    ...["webhooks", "add", "--app", app, "--url", URL_B, "--events", "channel_occupied, cache_miss"],
    ...choices,
  );
  expect(chosen).toMatchObject({
    events: ["channel_occupied", "cache_miss"],
    prefix: "private-",
    suffix: "-live",
    batch: false,
    enabled: false,
  });
  expect(await json<unknown>("webhooks", "list")).toEqual([plain, chosen]);
});

test("an added endpoint is told to a person with its id", async () => {
  const { app, say } = await stage();
  const { out } = await say(
    ...["webhooks", "add", "--app", app, "--url", URL_A, "--events", "channel_occupied,channel_vacated"],
  );
  expect(out).toMatch(/^id {7}[0-9a-f]{16}$/m);
  expect(out).toContain(`\nurl      ${URL_A}\nevents   channel_occupied,channel_vacated\n`);
});

test("the only app need not be named, one of several must be", async () => {
  const { app, say, json } = await stage();
  expect((await json("webhooks", "add", "--url", URL_A)).appId).toBe(app);
  const other = await json<{ id: string }>("apps", "create");
  expect(await say("webhooks", "add", "--url", URL_A)).toEqual({
    code: 1,
    out: "",
    err: `There are 2 apps: say which one with --app ID; "earshot apps list" lists them.`,
  });
  await json("webhooks", "add", "--app", other.id, "--url", URL_B);
  expect((await json<ShownEndpoint[]>("webhooks", "list")).map(({ appId }) => appId)).toEqual([
    app,
    other.id,
  ]);
  expect((await json<ShownEndpoint[]>("webhooks", "list", "--app", other.id)).map(({ url }) => url)).toEqual([
    URL_B,
  ]);
});

test("an update changes what it names; the endpoint is named by its id or its URL", async () => {
  const { json } = await stage();
  const before = await json("webhooks", "add", "--url", URL_A, "--prefix", "private-", "--header", "X-A: 1");
  const paused = await json("webhooks", "update", "--endpoint", before.id, "--enabled", "false");
  expect(paused).toEqual({ ...before, enabled: false });
  const moved = await json(
    ...["webhooks", "update", "--endpoint", URL_A, "--url", URL_B, "--prefix", "", "--header", ""],
  );
  expect(moved).toEqual({ ...paused, url: URL_B, prefix: "", headers: {} });
});

test("a removed endpoint is gone", async () => {
  const { app, say, json } = await stage();
  const { id } = await json("webhooks", "add", "--url", URL_A);
  expect(await say("webhooks", "remove", "--endpoint", id)).toEqual({
    code: 0,
    out: `Webhook endpoint ${id} of app ${app} is removed.`,
    err: "",
  });
  expect((await say("webhooks", "list")).out).toBe(
    `There are no webhook endpoints yet: make one with "earshot webhooks add".`,
  );
  expect((await say("webhooks", "remove", "--endpoint", id)).err).toBe(
    `There is no webhook endpoint "${id}": see "earshot webhooks list".`,
  );
});

test("a URL that several endpoints have names none of them", async () => {
  const { say, json } = await stage();
  for (const prefix of ["a-", "b-"]) await json("webhooks", "add", "--url", URL_A, "--prefix", prefix);
  expect((await say("webhooks", "remove", "--endpoint", URL_A)).err).toBe(
    `Several webhook endpoints go to "${URL_A}": say which one by its id; "earshot webhooks list" lists them.`,
  );
});

test("values of headers are shown only where they are asked for", async () => {
  const { app, say, json } = await stage();
  const header = ["--header", "Authorization: Bearer swordfish", "--header", "X-Tenant:7"];
  const added = await say("webhooks", "add", "--url", URL_A, ...header);
  const { id } = (await json<ShownEndpoint[]>("webhooks", "list"))[0] ?? { id: "" };
  const quiet = [
    added,
    await say("webhooks", "list", "--json"),
    await say("webhooks", "list", "--endpoint", id),
    await say("webhooks", "update", "--endpoint", id),
    await say("apps", "show", app, "--secrets", "--json"),
  ];
  for (const { code, out } of quiet) {
    expect(code).toBe(0);
    expect(out).not.toContain("swordfish");
  }
  expect(added.out).toContain("header   Authorization: set\nheader   X-Tenant: set\n");
  expect((await say("webhooks", "list", "--endpoint", id, "--secrets")).out).toContain("Bearer swordfish");
  expect((await json<ShownEndpoint[]>("webhooks", "list", "--secrets"))[0]?.headers).toEqual({
    Authorization: "Bearer swordfish",
    "X-Tenant": "7",
  });
});

test("a test request is signed, holds no event, and ends well only with a 2xx", async () => {
  const { app, say, json } = await stage();
  const receiver = await startWebhookReceiver();
  const { id } = await json(
    "webhooks",
    "add",
    "--url",
    receiver.url,
    "--header",
    "X-Tenant: 7",
    "--enabled",
    "false",
  );
  const { key = "", secret = "" } = (await json<ShownApp>("apps", "show", app, "--secrets")).keys[0] ?? {};
  await say("apps", "rotate-key", app);
  const passed = await say("webhooks", "test", "--endpoint", id);
  expect(passed).toMatchObject({ code: 0, err: "" });
  expect(passed.out).toMatch(/^status {4}200$/m);
  expect(passed.out).toMatch(/^duration {2}\d+ ms$/m);
  const [request] = receiver.received;
  expect(request?.body).toMatch(/^\{"time_ms":\d+,"events":\[\]\}$/);
  expect(request?.headers).toMatchObject({
    "content-type": "application/json",
    "x-pusher-key": key,
    "x-pusher-signature": signWebhook(digest, secret, request?.body ?? ""),
    "x-earshot-test": "1",
    "x-tenant": "7",
  });
  receiver.treat = () => ({ does: "answers", status: 301, headers: { Location: receiver.url } });
  const refused = await say("webhooks", "test", "--endpoint", id);
  expect(refused.code).toBe(1);
  expect(refused.out).toContain("status    301 (not 2xx: the server would try again)");
  await receiver.goDown();
  expect(await say("webhooks", "test", "--endpoint", id, "--json")).toMatchObject({ code: 1, err: "" });
});

test("a test goes only where the server's webhooks may go", async () => {
  const { say, json } = await stage();
  const { id } = await json("webhooks", "add", "--url", "http://127.0.0.1:9/webhooks");
  const { code, out } = await say("webhooks", "test", "--endpoint", id, "--webhooks-targets", "public");
  expect(code).toBe(1);
  expect(out).toContain(
    'problem   127.0.0.1 is a loopback address, and the setting webhooks.targets is "public"',
  );
});

test("an app without an active key has nothing to sign with", async () => {
  const { app, say, json } = await stage();
  const { id } = await json("webhooks", "add", "--url", URL_A);
  const { key = "" } = (await json<ShownApp>("apps", "show", app)).keys[0] ?? {};
  await say("apps", "revoke-key", app, key, "--force");
  expect((await say("webhooks", "test", "--endpoint", id)).err).toBe(
    `App ${app} has no active key to sign webhooks with: make one with "earshot apps rotate-key ${app}".`,
  );
});

test("what is wrong is refused in one line that says what to do", async () => {
  const { say } = await stage();
  const add = ["webhooks", "add", "--url", URL_A];
  const wrong: readonly (readonly [string[], string])[] = [
    [
      ["webhooks", "add"],
      "--url must be given: it is where the webhooks go, such as https://shop.example.com/webhooks.",
    ],
    [
      [...add, "--events", "channel_ocupied"],
      'There is no webhook event "channel_ocupied". Did you mean channel_occupied? Events are: channel_occupied, channel_vacated, member_added, member_removed, client_event, cache_miss, subscription_count.',
    ],
    [
      [...add, "--batch", "yes"],
      '--batch = "yes" is neither true nor false: write --batch true, or --batch false.',
    ],
    [[...add, "--header", "swordfish"], 'A --header has no colon: write --header "Name: value".'],
    [[...add, "--header", "A: 1", "--header", "A: 2"], '--header "A" is given twice: give it once.'],
    [[...add, "--app", "8"], 'There is no app "8": see "earshot apps list".'],
    [
      [...add, "--app", "7:key:swordfish"],
      "--app takes only the id of an app here, without its key and secret: write --app ID.",
    ],
    [
      ["webhooks", "update", "--url", URL_A],
      `--endpoint must be given: the id of a webhook endpoint, or its URL; "earshot webhooks list" lists them.`,
    ],
    [
      ["webhooks", "remove", "--endpoint", "x y"],
      'There is no webhook endpoint "x y": see "earshot webhooks list".',
    ],
    [
      ["webhooks", "ad"],
      'There is no command "earshot webhooks ad". Did you mean add? See "earshot help webhooks".',
    ],
  ];
  for (const [args, err] of wrong) expect(await say(...args)).toEqual({ code: 1, out: "", err });
});
