import { afterEach, expect, test } from "bun:test";
import { InvalidApp } from "#core/app";
import { silentLog } from "#observe/log";
import { AppDirectory } from "./app-directory.ts";
import { Apps } from "./apps.ts";
import { migrate } from "./migrate.ts";
import { MIGRATIONS } from "./migrations.ts";
import { PostgresDatabase } from "./postgres.ts";
import { Refused } from "./refused.ts";
import type { Database } from "./sql.ts";
import { openSqlite } from "./sqlite.ts";
import { failure } from "./testing/failure.ts";
import { onEachDatabase } from "./testing/places.ts";
import { type WebhookDraft, Webhooks } from "./webhooks.ts";

const NEVER_MS = 60_000; // refreshed by hand

const DRAFT: WebhookDraft = {
  url: "https://shop.example.com/webhooks",
  events: ["channel_occupied", "channel_vacated"],
  prefix: "private-",
  suffix: "-live",
  batch: false,
  headers: { Authorization: 'Bearer Zoe\'s "token"', "X-Tenant": "7" },
  enabled: true,
};

const directories: AppDirectory[] = [];

afterEach(async () => {
  await Promise.all(directories.splice(0).map((directory) => directory.stop()));
});

async function directoryOf(database: Database): Promise<AppDirectory> {
  const directory = await AppDirectory.start({ database, refreshMs: NEVER_MS, log: silentLog });
  directories.push(directory);
  return directory;
}

onEachDatabase(({ place, open }) => {
  async function stage(wallMs?: () => number) {
    const there = await place();
    const database = await open(there);
    const apps = new Apps(database);
    return { there, database, apps, webhooks: new Webhooks(database, wallMs), app: await apps.create() };
  }

  test("an added endpoint is part of its app, and of no other", async () => {
    const { apps, webhooks, app } = await stage(() => 1_784_000_000_123);
    const other = await apps.create();
    const added = await webhooks.add(app.id, DRAFT);
    expect(added).toEqual({ ...DRAFT, id: added.id, createdMs: 1_784_000_000_123 });
    expect(added.id).toMatch(/^[0-9a-f]{16}$/);
    expect((await apps.show(app.id)).webhooks).toEqual([added]);
    expect((await apps.show(other.id)).webhooks).toEqual([]);
    expect((await apps.list()).map((one) => one.webhooks)).toEqual([[added], []]);
  });

  test("endpoints are listed oldest first, also when the clock was set back", async () => {
    let now = 5_000;
    const { apps, webhooks, app } = await stage(() => now--);
    const ids: string[] = [];
    for (let i = 0; i < 4; i++) ids.push((await webhooks.add(app.id, DRAFT)).id);
    expect((await apps.show(app.id)).webhooks.map(({ id }) => id)).toEqual(ids);
  });

  test("an update changes what it names and nothing else", async () => {
    const { apps, webhooks, app } = await stage();
    const [first, second] = [await webhooks.add(app.id, DRAFT), await webhooks.add(app.id, DRAFT)];
    const paused = await webhooks.update(app.id, first.id, { enabled: false });
    expect(paused).toEqual({ ...first, enabled: false });
    const change = {
      url: "http://[::1]:9/",
      events: ["cache_miss"],
      prefix: "",
      suffix: "",
      batch: true,
      headers: {},
    } as const;
    const changed = await webhooks.update(app.id, first.id, change);
    expect(changed).toEqual({ ...paused, ...change });
    expect((await apps.show(app.id)).webhooks).toEqual([changed, second]);
  });

  test("a removed endpoint is gone; those of a deleted app are gone with it", async () => {
    const { database, apps, webhooks, app } = await stage();
    const [first, second] = [await webhooks.add(app.id, DRAFT), await webhooks.add(app.id, DRAFT)];
    await webhooks.remove(app.id, first.id);
    expect((await apps.show(app.id)).webhooks).toEqual([second]);
    await apps.delete(app.id);
    expect(await database.read((sql) => sql`SELECT id FROM earshot_webhooks`)).toHaveLength(0);
  });

  test("a wrong change is refused whole, and one of an app or an endpoint that is not there", async () => {
    const { apps, webhooks, app } = await stage();
    const added = await webhooks.add(app.id, DRAFT);
    const other = await apps.create();
    for (const change of [{ url: "shop" }, { events: [] }, { headers: { Host: "a" } }])
      expect(await failure(webhooks.update(app.id, added.id, { prefix: "x", ...change }))).toBeInstanceOf(
        InvalidApp,
      );
    expect((await apps.show(app.id)).webhooks).toEqual([added]);
    const missing = [
      webhooks.update(other.id, added.id, {}),
      webhooks.remove(other.id, added.id),
      webhooks.remove(app.id, "no"),
    ];
    for (const error of await Promise.all(missing.map(failure))) {
      expect(error).toBeInstanceOf(Refused);
      expect(error.message).toMatch(
        /^App \d+ has no webhook endpoint "\w+": see "earshot webhooks list --app \d+"\.$/,
      );
    }
    expect((await failure(webhooks.add("none", DRAFT))).message).toContain('There is no app "none"');
  });

  test("a running server takes up what changes, and keeps the apps that did not change", async () => {
    const { there, apps, webhooks, app } = await stage();
    const other = await apps.create();
    await webhooks.add(other.id, DRAFT);
    const directory = await directoryOf(await open(there));
    const unchanged = directory.byId(other.id);
    const heard: (readonly boolean[] | undefined)[] = [];
    directory.onChange((_id, one) => heard.push(one?.webhooks.map(({ enabled }) => enabled)));
    const { id } = await webhooks.add(app.id, DRAFT);
    await directory.refresh();
    await webhooks.update(app.id, id, { enabled: false });
    await directory.refresh();
    await webhooks.update(app.id, id, {});
    await directory.refresh();
    await webhooks.remove(app.id, id);
    await directory.refresh();
    expect(heard).toEqual([[true], [false], []]);
    expect(directory.byId(other.id)).toBe(unchanged);
  });

  test("an event that this version does not know is left out, with an endpoint that wants nothing else", async () => {
    const { database, apps, webhooks, app } = await stage();
    const [first, second] = [await webhooks.add(app.id, DRAFT), await webhooks.add(app.id, DRAFT)];
    await database.write(async (sql) => {
      await sql`UPDATE earshot_webhooks SET events = ${`["of_tomorrow","cache_miss"]`} WHERE id = ${first.id}`;
      await sql`UPDATE earshot_webhooks SET events = ${`["of_tomorrow"]`} WHERE id = ${second.id}`;
    });
    expect((await apps.show(app.id)).webhooks).toEqual([{ ...first, events: ["cache_miss"] }]);
  });

  test("quotas are kept, replaced as a whole and taken away", async () => {
    const { apps, app } = await stage();
    const quotas = [
      { prefix: "private-user-", maxSubscriptions: 10 },
      { prefix: "x", maxSubscriptions: 1 },
    ];
    await apps.update(app.id, { quotas });
    await apps.update(app.id, { name: "renamed" });
    expect((await apps.show(app.id)).quotas).toEqual(quotas);
    await apps.update(app.id, { quotas: quotas.slice(1) });
    expect((await apps.show(app.id)).quotas).toEqual(quotas.slice(1));
    expect((await apps.update(app.id, { quotas: [] })).quotas).toEqual([]);
    expect(
      await failure(apps.update(app.id, { quotas: [{ prefix: "a*", maxSubscriptions: 1 }] })),
    ).toBeInstanceOf(InvalidApp);
  });

  test("apps of the version before have no endpoints and no quotas, and can get them", async () => {
    const there = await place();
    const before =
      there.url === "" ? await openSqlite(`${there.dataDir}/earshot.db`) : new PostgresDatabase(there.url);
    await migrate(before, MIGRATIONS.slice(0, 1));
    await before.write(async (sql) => {
      await sql`INSERT INTO earshot_apps (id, name, enabled, tls_only, limits, features, allowed_origins, created_ms)
        VALUES ('7', 'old', 1, 0, '{}', '{}', '[]', 1)`;
    });
    await before.close();
    const database = await open(there);
    expect(await new Apps(database).show("7")).toMatchObject({ name: "old", webhooks: [], quotas: [] });
    const added = await new Webhooks(database).add("7", DRAFT);
    expect((await new Apps(database).show("7")).webhooks).toEqual([added]);
  });
});
