/** A server under a path prefix answers there and on the bare paths. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { callApi, publish } from "../support/api.ts";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { connected, disconnectPushers, makePusher, once } from "../support/pusher-client.ts";
import { connectRaw } from "../support/raw-client.ts";

let earshot: Earshot;

beforeAll(async () => {
  earshot = await startEarshot({ args: ["--prefix", "/realtime", "--prefix", "/a/b"] });
});

afterAll(async () => {
  disconnectPushers();
  await earshot.stop();
});

test.each(["", "/realtime", "/a/b"])("clients connect at %p", async (prefix) => {
  const client = await connectRaw(earshot, { path: `${prefix}/app/${earshot.app.key}` });
  expect(client.socketId).not.toBe("");
  client.close();
});

test.each(["/other", "/a", "/realtime/realtime", "/realtimes"])("and not at %p", async (prefix) => {
  const client = await connectRaw(earshot, { path: `${prefix}/app/${earshot.app.key}` });
  expect((await client.closed).code).toBe(4005);
});

test("pusher-js finds it by wsPath", async () => {
  const client = makePusher(earshot, { wsPath: "/realtime" });
  await connected(client);
  const channel = client.subscribe("news");
  await once(channel, "pusher:subscription_succeeded");
  const greeting = once(channel, "greeting");
  await publish(earshot, "news", "greeting", '"hello"');
  expect(await greeting).toBe("hello");
});

test("the API takes signatures over the path with the prefix, and without it as php makes them", async () => {
  const bare = `/apps/${earshot.app.id}/channels`;
  for (const signedPath of [`/realtime${bare}`, bare]) {
    const { status } = await callApi(earshot, "GET", `/realtime${bare}`, { signedPath });
    expect([signedPath, status]).toEqual([signedPath, 200]);
  }
  expect((await callApi(earshot, "GET", `/realtime${bare}`, { signedPath: `/a/b${bare}` })).status).toBe(401);
  expect((await callApi(earshot, "GET", `/other${bare}`)).status).toBe(404);
});
