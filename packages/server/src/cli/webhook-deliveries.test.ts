import { afterEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeWebhook } from "@earshot/protocol/webhook";
import type { AttemptRow } from "#webhooks/attempt-table";
import type { SkippedEvent } from "#webhooks/delivery-log";
import type { WishRow } from "#webhooks/wish-table";
import { until } from "../../../../test/support/until.ts";
import { attemptOf, type LeftDeliveries, leaveDeliveries } from "./testing/deliveries.ts";
import { useFolders } from "./testing/folders.ts";
import { run } from "./testing/person.ts";

const newFolder = useFolders();
const URL_A = "https://a.example.com/webhooks";
const opened: LeftDeliveries[] = [];

afterEach(() => {
  for (const left of opened.splice(0)) left.close();
});

/** A data folder with an app, its endpoint, and what a server has written down about it. */
async function stage(attempts: readonly AttemptRow[] = []) {
  const folder = newFolder();
  const say = (...args: string[]) => run([...args, "--data", folder]);
  const json = async (...args: string[]) => JSON.parse((await say(...args, "--json")).out);
  const { id: app } = await json("apps", "create");
  const { id } = await json("webhooks", "add", "--url", URL_A);
  const left = leaveDeliveries(folder, app, id);
  opened.push(left);
  for (const attempt of attempts) left.tables.attempts.add(left.key, attempt);
  return { folder, say, json, app, id, ...left };
}

const FAILED: Partial<AttemptRow> = {
  deliveryId: "d2",
  outcome: { answered: false, problem: "it did not answer" },
};
const REFUSED: Partial<AttemptRow> = {
  deliveryId: "d2",
  attempt: 2,
  outcome: { answered: true, status: 500, response: "no\n  room" },
};

test("deliveries are listed newest first, with what became of them", async () => {
  const atMs = attemptOf().atMs;
  const { say, id } = await stage([
    attemptOf(),
    attemptOf({ ...FAILED, atMs: atMs + 1_000 }),
    attemptOf({ ...REFUSED, atMs: atMs + 2_000 }),
  ]);
  const { code, out, err } = await say("webhooks", "deliveries");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
    ["time", "endpoint", "delivery", "attempt", "outcome", "duration", "events"],
    ["2026-01-31T09:30:02.000Z", id, "d2", "2", "500", "12 ms", "channel_occupied orders"],
    ["2026-01-31T09:30:01.000Z", id, "d2", "1", "it did not answer", "12 ms", "channel_occupied orders"],
    ["2026-01-31T09:30:00.000Z", id, "d1", "1", "200", "12 ms", "channel_occupied orders"],
  ]);
});

test("the list holds the failed ones, those of an endpoint, since a time, or so many", async () => {
  const atMs = attemptOf().atMs;
  const { say, json, id } = await stage([attemptOf(), attemptOf({ ...FAILED, atMs: atMs + 1_000 })]);
  const listed = async (...flags: string[]): Promise<string[]> =>
    (await json("webhooks", "deliveries", ...flags)).map((one: { deliveryId: string }) => one.deliveryId);
  expect(await listed()).toEqual(["d2", "d1"]);
  expect(await listed("--failed")).toEqual(["d2"]);
  expect(await listed("--limit", "1")).toEqual(["d2"]);
  expect(await listed("--since", "2026-01-31T09:30:00.500Z")).toEqual(["d2"]);
  expect(await listed("--endpoint", id)).toEqual(["d2", "d1"]);
  await json("webhooks", "add", "--url", "http://127.0.0.1:9/other");
  expect(await listed("--endpoint", "http://127.0.0.1:9/other")).toEqual([]);
  expect((await say("webhooks", "deliveries", "--limit", "0")).err).toBe(
    '--limit "0" is not valid: use a whole number from 1 to 10000.',
  );
});

test("names of channels and answers cannot command the terminal", async () => {
  const events = [
    { name: "member_added", channel: "presence-\u001b]0;b\u0007", user_id: "u\n7" },
    { name: "client_event", channel: "private-a", event: "client-x", data: "\u202e", socket_id: "1.1" },
  ] as const;
  const { say } = await stage([
    attemptOf({
      request: writeWebhook({ timeMs: 1, events }),
      outcome: { answered: true, status: 200, response: "\u001b[31mred\r\nendpoint  forged\u009b" },
    }),
  ]);
  const list = await say("webhooks", "deliveries");
  expect(list.out).toContain("member_added presence-\\u001b]0;b\\u0007 u\\u000a7, client_event private-a");
  const shown = await say("webhooks", "deliveries", "--show", "d1");
  expect(shown.out).toContain("response\n  \\u001b[31mred\n  endpoint  forged\\u009b");
  for (const { out } of [list, shown])
    expect(out.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
});

test("one delivery is shown with every request and response in full", async () => {
  const long = Array.from({ length: 20 }, (_, at) => `channel-${at}`).join("-");
  const { say, id, app } = await stage([attemptOf(FAILED, long), attemptOf(REFUSED, long), attemptOf()]);
  const { out } = await say("webhooks", "deliveries", "--show", "d2");
  expect(out.split("\n\n")).toHaveLength(2);
  expect(out).toContain(`delivery     d2\nendpoint     ${id}\napp          ${app}\nattempt      1\n`);
  expect(out).toContain("outcome      it did not answer\n");
  expect(out).toContain(`request\n  ${attemptOf({}, long).request}\n`);
  expect(out).toEndWith("response\n  no\n    room");
  expect((await say("webhooks", "deliveries")).out).not.toContain("channel-19");
  expect((await say("webhooks", "deliveries", "--show", "d3")).err).toBe(
    'There is no delivery "d3" in the log, which keeps the newest: see "earshot webhooks deliveries".',
  );
});

test("dead letters are listed with the reason", async () => {
  const { say, id, tables, key, app } = await stage();
  tables.deadLetters.put(key, {
    version: 5,
    event: `{"name":"member_added","channel":"presence-room","user_id":"u-7","id":"${app}-5","version":5,"occurred_ms":1}`,
    diedMs: attemptOf().atMs,
    reason: "refused",
    deliveryId: "d1",
    attempts: 9,
    problem: "422",
  });
  const { out } = await say("webhooks", "deliveries", "--dead");
  expect(out.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
    ["time", "endpoint", "delivery", "attempts", "reason", "problem", "event", "id"],
    [
      "2026-01-31T09:30:00.000Z",
      id,
      "d1",
      "9",
      "refused",
      "422",
      "member_added presence-room u-7",
      `${app}-5`,
    ],
  ]);
  expect((await say("webhooks", "deliveries", "--dead", "--since", "1h")).code).toBe(0);
});

test("a folder without deliveries says so", async () => {
  const folder = newFolder();
  await run(["apps", "create", "--data", folder]);
  expect(await run(["webhooks", "deliveries", "--data", folder])).toEqual({
    code: 0,
    out: `There were no deliveries in ${folder} yet.`,
    err: "",
  });
  expect((await run(["webhooks", "redeliver", "--delivery", "d1", "--data", folder])).err).toBe(
    `There were no deliveries in ${folder} yet, so none can be repeated: name the server's data folder with --data.`,
  );
});

test("a file of deliveries that cannot be read is told in one line", async () => {
  const folder = newFolder();
  await run(["apps", "create", "--data", folder]);
  writeFileSync(join(folder, "deliveries.db"), "not a database ".repeat(100));
  const { code, out, err } = await run(["webhooks", "deliveries", "--data", folder]);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toMatch(/^The file .*deliveries\.db cannot be used \(.*\): see that it [^\n]*$/);
});

/** Answers as a server on the folder does. */
async function served(
  { folder, tables }: Pick<Awaited<ReturnType<typeof stage>>, "folder" | "tables">,
  answer: (wish: WishRow) => void,
): Promise<void> {
  writeFileSync(join(folder, "earshot.url"), "http://127.0.0.1:1\n");
  await until("somebody asks for a redelivery", () => tables.wishes.next() !== undefined);
  const wish = tables.wishes.next();
  if (wish !== undefined) answer(wish);
}

test("a running server is asked to send again, and what it skips is listed", async () => {
  const there = await stage([attemptOf()]);
  const { say, app, id, tables } = there;
  const skipped: SkippedEvent[] = [
    { eventId: `${app}-5`, name: "channel_occupied", channel: "orders\u0007", reason: "superseded" },
    { eventId: `${app}-6`, name: "member_added", channel: "presence-a", userId: "u-7", reason: "unwanted" },
  ];
  const wishes: WishRow[] = [];
  const answering = served(there, (wish) => {
    wishes.push(wish);
    tables.wishes.answer(wish.id, 1, 2, skipped);
  });
  const said = await say("webhooks", "redeliver", "--delivery", "d1");
  await answering;
  expect(wishes).toMatchObject([
    { appId: app, endpointId: id, wish: { what: "delivery", deliveryId: "d1" } },
  ]);
  expect(said).toMatchObject({ code: 0, err: "" });
  expect(said.out.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
    [`1 event is on the way again to endpoint ${id}.`],
    ["2 events are skipped:"],
    ["id", "event", "channel", "user", "why"],
    [`${app}-5`, "channel_occupied", "orders\\u0007", "-", "superseded"],
    [`${app}-6`, "member_added", "presence-a", "u-7", "unwanted"],
  ]);
});

test("a server that refuses is quoted, with exit code 1", async () => {
  const there = await stage();
  const answering = served(there, ({ id }) => there.tables.wishes.refuse(id, "too much is asked"));
  const said = await there.say("webhooks", "redeliver", "--endpoint", there.id, "--dead-only");
  await answering;
  expect(said).toEqual({ code: 1, out: "The server refused it: too much is asked", err: "" });
});

test("without a running server the wish stays for the next one", async () => {
  const { json, id, tables } = await stage();
  const flags = ["--endpoint", URL_A, "--since", "2026-01-31T09:00:00Z"];
  expect(await json("webhooks", "redeliver", ...flags)).toEqual({ state: "asked" });
  expect(tables.wishes.next()).toMatchObject({
    endpointId: id,
    wish: { what: "since", sinceMs: Date.UTC(2026, 0, 31, 9) },
  });
});

test("a time and --dead-only together ask for the dead letters since then", async () => {
  const { json, id, tables } = await stage();
  const flags = ["--endpoint", id, "--since", "2026-01-31T09:00:00Z", "--dead-only"];
  expect(await json("webhooks", "redeliver", ...flags)).toEqual({ state: "asked" });
  expect(tables.wishes.next()).toMatchObject({
    endpointId: id,
    wish: { what: "dead", sinceMs: Date.UTC(2026, 0, 31, 9) },
  });
});

test("what to send again must be said, and said once", async () => {
  const { say, id } = await stage([attemptOf()]);
  const wrong = [
    [],
    ["--endpoint", id],
    ["--since", "1h"],
    ["--delivery", "d1", "--endpoint", id],
    ["--delivery", "d1", "--since", "1h"],
    ["--delivery", "d1", "--dead-only"],
    ["--since", "1h", "--dead-only"],
  ];
  for (const flags of wrong) {
    const { code, err } = await say("webhooks", "redeliver", ...flags);
    expect(code).toBe(1);
    expect(err).toBe(
      "Say what to send again: --delivery ID for one delivery, --endpoint ID --since TIME for all since then, or --endpoint ID --dead-only for its dead letters; --since TIME --dead-only is for the dead letters since then.",
    );
  }
  expect((await say("webhooks", "redeliver", "--endpoint", id, "--since", "soon")).err).toContain(
    "write how long ago, such as 10m, 2h or 1d",
  );
});
