import { afterEach, expect, test } from "bun:test";
import type { App } from "#core/app";
import { makeLog, silentLog } from "#observe/log";
import { AppDirectory } from "./app-directory.ts";
import { Apps } from "./apps.ts";
import { type Database, DatabaseProblem } from "./sql.ts";
import { failure } from "./testing/failure.ts";
import { onEachDatabase, onPostgres, onSqlite } from "./testing/places.ts";

const NEVER_MS = 60_000; // refreshed by hand
const started: AppDirectory[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((directory) => directory.stop()));
});

async function start(database: Database, refreshMs = NEVER_MS, log = silentLog): Promise<AppDirectory> {
  const directory = await AppDirectory.start({ database, refreshMs, log });
  started.push(directory);
  return directory;
}

function record() {
  const lines: string[] = [];
  return { lines, log: makeLog({ level: "debug", write: (line) => lines.push(line) }) };
}

onEachDatabase(({ place, open }) => {
  test("apps are found by id and by key, also by a revoked one", async () => {
    const database = await open(await place());
    const apps = new Apps(database);
    const first = await apps.create();
    const { app, pair } = await apps.rotateKey(first.id);
    await apps.revokeKey(app.id, pair.key);
    const directory = await start(database);
    expect(directory.all().map(({ id }) => id)).toEqual([app.id]);
    expect(directory.byId(app.id)?.keys).toHaveLength(2);
    expect(directory.byKey(first.keys[0]?.key ?? "")?.app).toBe(directory.all()[0] as App);
    expect(directory.byKey(pair.key)?.pair).toEqual({ ...pair, revoked: true });
    expect(directory.byId("no")).toBeUndefined();
    expect(directory.byKey("no")).toBeUndefined();
  });

  test("what another client changes is taken up, and listeners hear of exactly that", async () => {
    const there = await place();
    const apps = new Apps(await open(there));
    const [stays, changes, goes] = [await apps.create(), await apps.create(), await apps.create()];
    const directory = await start(await open(there));
    const heard: [string, string | undefined][] = [];
    const unchanged = directory.byId(stays.id);
    const stop = directory.onChange((id, app) => heard.push([id, app?.name]));
    await apps.update(changes.id, { name: "changed" });
    await apps.delete(goes.id);
    const comes = await apps.create({ name: "new" });
    await directory.refresh();
    expect(heard.sort()).toEqual(
      [
        [changes.id, "changed"],
        [goes.id, undefined],
        [comes.id, "new"],
      ].sort() as typeof heard,
    );
    expect(directory.byId(stays.id)).toBe(unchanged);
    expect(directory.byKey(goes.keys[0]?.key ?? "")).toBeUndefined();
    stop();
    await apps.update(changes.id, { name: "again" });
    await directory.refresh();
    expect(heard).toHaveLength(3);
    expect(directory.byId(changes.id)?.name).toBe("again");
  });

  test("it asks by itself every refreshMs", async () => {
    const there = await place();
    const directory = await start(await open(there), 20);
    const heard = new Promise((resolve) => directory.onChange(resolve));
    const app = await new Apps(await open(there)).create();
    expect(await heard).toBe(app.id);
  });

  test("a listener that fails keeps the others from nothing", async () => {
    const database = await open(await place());
    const { lines, log } = record();
    const directory = await start(database, NEVER_MS, log);
    const heard: string[] = [];
    directory.onChange(() => {
      throw new Error("mine");
    });
    directory.onChange((id) => heard.push(id));
    const { id } = await new Apps(database).create();
    await directory.refresh();
    expect(heard).toEqual([id]);
    expect(lines).toHaveLength(1);
  });

  test("an app that is not valid is logged and stays as it was; the others are taken up", async () => {
    const database = await open(await place());
    const apps = new Apps(database);
    const [broken, other] = [await apps.create({ name: "good" }), await apps.create()];
    const { lines, log } = record();
    const directory = await start(database, NEVER_MS, log);
    await database.write(async (sql) => {
      await sql`UPDATE earshot_apps SET name = ${"bad"}, limits = ${`{"maxBatchEvents":-5}`} WHERE id = ${broken.id}`;
    });
    await apps.update(other.id, { name: "new" });
    await directory.refresh();
    expect(directory.byId(broken.id)?.name).toBe("good");
    expect(directory.byId(other.id)?.name).toBe("new");
    expect(lines.join("")).toContain("maxBatchEvents = -5");
  });

  test("an app is gone when the store holds others, and not this one in any form", async () => {
    const database = await open(await place());
    const empty = await start(database);
    expect(empty.isGone("4711")).toBe(false);
    const broken = await new Apps(database).create();
    await database.write(async (sql) => {
      await sql`UPDATE earshot_apps SET limits = ${`{"maxBatchEvents":-5}`} WHERE id = ${broken.id}`;
    });
    const directory = await start(database);
    expect(directory.byId(broken.id)).toBeUndefined();
    expect(directory.isGone(broken.id)).toBe(false);
    expect(directory.isGone("4711")).toBe(true);
  });

  test("a limit that this version does not know is left alone", async () => {
    const database = await open(await place());
    const { id } = await new Apps(database).create();
    await database.write(async (sql) => {
      await sql`UPDATE earshot_apps SET limits = ${`{"maxOfTomorrow":5,"maxBatchEvents":7}`} WHERE id = ${id}`;
    });
    expect((await start(database)).byId(id)?.limits.maxBatchEvents).toBe(7);
  });
});

onPostgres(({ place, open }, server) => {
  test("while the server is away the last known apps stay, one line is logged, and it recovers", async () => {
    const there = await place();
    const app = await new Apps(await open(there)).create();
    const { lines, log } = record();
    const directory = await start(await open(there), NEVER_MS, log);
    await server().crash();
    await directory.refresh();
    await directory.refresh();
    expect(directory.byId(app.id)).toEqual(app);
    expect(directory.isCurrent).toBe(false);
    expect(directory.isGone("4711")).toBe(false);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("those last known stay in force");
    expect(lines[0]).not.toContain(encodeURIComponent(new URL(there.url).password));
    await server().resume();
    await new Apps(await open(there)).update(app.id, { name: "back" });
    await directory.refresh();
    expect(directory.byId(app.id)?.name).toBe("back");
    expect(directory.isCurrent).toBe(true);
    expect(lines).toHaveLength(2);
  });
});

onSqlite(({ place, open }) => {
  test("apps that cannot be read at the start are an error", async () => {
    const database = await open(await place());
    await database.write((sql) => sql.unsafe("DELETE FROM earshot_app_changes"));
    expect(await failure(start(database))).toBeInstanceOf(DatabaseProblem);
  });
});
