import { expect, test } from "bun:test";
import { DEFAULT_LIMITS } from "@earshot/protocol/limits";
import { activeKey, InvalidApp } from "#core/app";
import { Apps } from "./apps.ts";
import { Refused } from "./refused.ts";
import { failure } from "./testing/failure.ts";
import { onEachDatabase } from "./testing/places.ts";

onEachDatabase(({ place, open }) => {
  async function newApps(wallMs?: () => number) {
    return new Apps(await open(await place()), wallMs);
  }

  test("a created app has a numeric id, a key and a secret, and the defaults", async () => {
    const apps = await newApps(() => 1_784_000_000_123);
    const app = await apps.create({ name: "Shop" });
    expect(app.id).toMatch(/^[1-9]\d{5,6}$/);
    expect(app.keys).toHaveLength(1);
    expect(app.keys[0]).toMatchObject({ revoked: false, createdMs: 1_784_000_000_123 });
    expect(app.keys[0]?.key).toMatch(/^[0-9a-f]{20}$/);
    expect(app.keys[0]?.secret).toMatch(/^[0-9a-f]{40}$/);
    expect(app).toMatchObject({
      name: "Shop",
      enabled: true,
      tlsOnly: false,
      limits: DEFAULT_LIMITS,
      allowedOrigins: [],
    });
    expect(await apps.show(app.id)).toEqual(app);
  });

  test("apps are listed oldest first, also when the clock was set back", async () => {
    let now = 5_000;
    const apps = await newApps(() => now--);
    const ids = [];
    for (let i = 0; i < 4; i++) ids.push((await apps.create()).id);
    expect((await apps.list()).map((app) => app.id)).toEqual(ids);
  });

  test("an update changes what it names and nothing else", async () => {
    const apps = await newApps();
    const { id, keys } = await apps.create({ name: 'Zoë\'s "shop"; DROP TABLE earshot_apps; --' });
    await apps.update(id, {
      limits: new Map([
        ["maxConnections", 10],
        ["maxBatchEvents", 20],
      ]),
      features: { clientEvents: true },
    });
    await apps.update(id, { enabled: false, allowedOrigins: ["https://Shop.example.com"] });
    await apps.update(id, {
      limits: new Map([["maxBatchEvents", undefined]]),
      features: { subscriptionCount: true },
      tlsOnly: true,
    });
    expect(await apps.show(id)).toMatchObject({
      name: 'Zoë\'s "shop"; DROP TABLE earshot_apps; --',
      enabled: false,
      tlsOnly: true,
      keys,
      limits: { ...DEFAULT_LIMITS, maxConnections: 10 },
      features: { clientEvents: true, subscriptionCount: true, watchlist: false },
      allowedOrigins: ["https://shop.example.com"],
    });
  });

  test("a wrong update is refused whole", async () => {
    const apps = await newApps();
    const { id } = await apps.create({ name: "before" });
    const wrong = [
      { limits: new Map([["maxConnection", 1]]) },
      { limits: new Map([["maxConnections", -1]]) },
      { limits: new Map([["maxBatchEvents", 1.5]]) },
      { allowedOrigins: ["shop.example.com"] },
    ];
    for (const change of wrong) {
      expect(await failure(apps.update(id, { name: "after", ...change }))).toBeInstanceOf(InvalidApp);
    }
    expect((await apps.show(id)).name).toBe("before");
  });

  test("an app that is not there is refused by every command", async () => {
    const apps = await newApps();
    const asked = [
      apps.show("7"),
      apps.update("7", {}),
      apps.rotateKey("7"),
      apps.revokeKey("7", "k"),
      apps.delete("7"),
    ];
    for (const error of await Promise.all(asked.map(failure))) {
      expect(error).toBeInstanceOf(Refused);
      expect(error.message).toBe(`There is no app "7": see "earshot apps list".`);
    }
  });

  test("a rotated key is added behind the others, which stay active until they are revoked", async () => {
    const apps = await newApps(() => 1_000);
    const before = await apps.create();
    const { app, pair } = await apps.rotateKey(before.id);
    expect(app.keys.map((one) => one.key)).toEqual([before.keys[0]?.key ?? "", pair.key]);
    expect(pair.createdMs).toBeGreaterThan(before.keys[0]?.createdMs ?? 0);
    expect(app.keys.every((one) => !one.revoked)).toBe(true);
    const old = before.keys[0]?.key ?? "";
    const after = await apps.revokeKey(app.id, old);
    expect(activeKey(after, old)).toBeUndefined();
    expect(after.keys).toHaveLength(2);
    expect(await apps.show(app.id)).toEqual(after);
    expect(await apps.revokeKey(app.id, old)).toEqual(after);
  });

  test("the last active key is revoked only by force", async () => {
    const apps = await newApps();
    const app = await apps.create();
    const key = app.keys[0]?.key ?? "";
    const error = await failure(apps.revokeKey(app.id, key));
    expect(error).toBeInstanceOf(Refused);
    expect(error.message).toContain("the last active key");
    expect((await apps.revokeKey(app.id, key, true)).keys[0]?.revoked).toBe(true);
  });

  test("a key of another app cannot be revoked", async () => {
    const apps = await newApps();
    const [one, other] = [await apps.create(), await apps.create()];
    expect((await failure(apps.revokeKey(one.id, other.keys[0]?.key ?? ""))).message).toContain("has no key");
  });

  test("a deleted app is gone with its keys", async () => {
    const apps = await newApps();
    const app = await apps.create();
    await apps.delete(app.id);
    expect(await apps.list()).toEqual([]);
    const { key = "", secret = "" } = app.keys[0] ?? {};
    expect(await apps.ensure({ id: "another", key, secret })).toBe("made");
  });

  test("ensure makes an app, adds a key to it, and finds both there", async () => {
    const apps = await newApps();
    expect(await apps.ensure({ id: "7", key: "k1", secret: "s1" })).toBe("made");
    expect(await apps.ensure({ id: "7", key: "k2", secret: "s2" })).toBe("key added");
    expect(await apps.ensure({ id: "7", key: "k1", secret: "s1" })).toBe("there already");
    expect((await apps.show("7")).keys.map(({ key, secret }) => [key, secret])).toEqual([
      ["k1", "s1"],
      ["k2", "s2"],
    ]);
  });

  test("ensure refuses another secret, a key of another app, and what cannot be an app, without telling secrets", async () => {
    const apps = await newApps();
    await apps.ensure({ id: "7", key: "k1", secret: "swordfish" });
    const errors = await Promise.all([
      failure(apps.ensure({ id: "7", key: "k1", secret: "sword" })),
      failure(apps.ensure({ id: "8", key: "k1", secret: "swordfish" })),
      failure(apps.ensure({ id: "7/8", key: "k2", secret: "swordfish" })),
      failure(apps.ensure({ id: "7", key: "k:2", secret: "swordfish" })),
      failure(apps.ensure({ id: "7", key: "k2", secret: "sword fish" })),
    ]);
    expect(errors.map((error) => error.name)).toEqual([
      "Refused",
      "Refused",
      "InvalidApp",
      "InvalidApp",
      "InvalidApp",
    ]);
    expect(errors[0]?.message).toContain("knows key k1 with another secret");
    expect(errors[1]?.message).toContain("belongs to app 7, not to app 8");
    for (const { message } of errors) expect(message).not.toMatch(/sword|\n/);
    expect(await apps.list()).toHaveLength(1);
  });

  test("ensure leaves a revoked key revoked and says so", async () => {
    const apps = await newApps();
    await apps.ensure({ id: "7", key: "k1", secret: "s1" });
    await apps.revokeKey("7", "k1", true);
    expect(await apps.ensure({ id: "7", key: "k1", secret: "s1" })).toBe("key is revoked");
    expect((await apps.show("7")).keys[0]?.revoked).toBe(true);
  });

  test("servers that ensure the same app at once make it once", async () => {
    const there = await place();
    const many = await Promise.all(Array.from({ length: 5 }, async () => new Apps(await open(there))));
    const outcomes = await Promise.all(many.map((apps) => apps.ensure({ id: "7", key: "k", secret: "s" })));
    expect(outcomes.sort()).toEqual(["made", ...Array(4).fill("there already")]);
  });
});
