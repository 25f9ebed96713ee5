import { expect, test } from "bun:test";
import { loadSettings } from "#config/load";
import { useFolders } from "../testing/folders.ts";
import { run } from "../testing/person.ts";
import { borrowEndpoints } from "./earshot-endpoints.ts";

const newFolder = useFolders();
const RECEIVER = "http://127.0.0.1:9";

async function dataFolder() {
  const folder = newFolder();
  const { out } = await run(["apps", "create", "--data", folder, "--json"]);
  const made: unknown = JSON.parse(out);
  if (typeof made !== "object" || made === null || !("id" in made)) throw new Error(out);
  const loaded = loadSettings({ args: ["--data", folder], env: {} });
  if (!loaded.ok) throw new Error("the settings of the test are wrong");
  return { folder, settings: loaded.settings, appId: String(made.id) };
}

async function listed(command: "apps" | "webhooks", folder: string): Promise<unknown[]> {
  const list: unknown = JSON.parse((await run([command, "list", "--data", folder, "--json"])).out);
  return Array.isArray(list) ? list : [];
}

test("the app and a second one send to the receiver, everything and filtered, until it is given back", async () => {
  const { folder, settings, appId } = await dataFolder();
  const { apps, giveBack } = await borrowEndpoints(settings, appId, RECEIVER);
  expect(apps.map(({ id }) => id === appId)).toEqual([true, false]);
  for (const { signers } of apps)
    expect(signers).toEqual([
      expect.objectContaining({ key: expect.any(String), secret: expect.any(String) }),
    ]);
  const endpoints = await listed("webhooks", folder);
  for (const { id } of apps)
    for (const url of [`${RECEIVER}/`, `${RECEIVER}/?events=channel_occupied&prefix=private-`])
      expect(endpoints).toContainEqual(expect.objectContaining({ appId: id, url, enabled: true }));
  expect(endpoints).toHaveLength(4);

  await giveBack();
  expect(await listed("webhooks", folder)).toEqual([]);
  expect(await listed("apps", folder)).toEqual([expect.objectContaining({ id: appId })]);
  await giveBack();
});

test("what somebody else took away meanwhile is not missed", async () => {
  const { folder, settings, appId } = await dataFolder();
  const { giveBack } = await borrowEndpoints(settings, appId, RECEIVER);
  await run(["webhooks", "remove", "--data", folder, "--app", appId, "--endpoint", `${RECEIVER}/`]);
  await giveBack();
  expect(await listed("webhooks", folder)).toEqual([]);
});

test("an app that the folder does not hold is told, and nothing is made", async () => {
  const { folder, settings } = await dataFolder();
  await expect(borrowEndpoints(settings, "nobody", RECEIVER)).rejects.toThrow(/nobody/);
  expect(await listed("apps", folder)).toHaveLength(1);
});
