import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { callApi, publish } from "../support/api.ts";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { connectRaw, type RawClient } from "../support/raw-client.ts";

const TOKEN = "a-long-random-text";

/** The values of one scrape, by name and labels as they are written. */
function valuesOf(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]));
}

describe("metrics on the main port", () => {
  let earshot: Earshot;
  const scrape = (authorization?: string) =>
    fetch(`${earshot.url}/metrics`, authorization === undefined ? {} : { headers: { authorization } });

  beforeAll(async () => {
    earshot = await startEarshot({ args: ["--metrics-token", TOKEN] });
  });

  afterAll(() => earshot.stop());

  test("are for the bearer of the token", async () => {
    for (const wrong of [undefined, "", TOKEN, "Bearer", "Bearer ", `Bearer ${TOKEN}x`, `Basic ${TOKEN}`]) {
      const answer = await scrape(wrong);
      expect([wrong, answer.status]).toEqual([wrong, 401]);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      expect(await answer.text()).not.toContain("earshot_");
    }
    const answer = await scrape(`Bearer ${TOKEN}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
  });

  test("count what happened, app by app", async () => {
    const clients: RawClient[] = [];
    for (let i = 0; i < 3; i++) clients.push(await connectRaw(earshot));
    for (const client of clients) await client.subscribe("news");
    await publish(earshot, "news", "greeting", "");
    await callApi(earshot, "GET", "/channels", { secret: "wrong" });
    await connectRaw(earshot, { key: "nobody" });
    clients[0]?.close();
    await clients[0]?.closed;
    await clients[1]?.settled();

    const values = valuesOf(await (await scrape(`Bearer ${TOKEN}`)).text());
    const app = `app="${earshot.app.id}"`;
    expect(values.get(`earshot_connections{${app}}`)).toBe(2);
    expect(values.get(`earshot_connections_opened_total{${app}}`)).toBe(3);
    expect(values.get(`earshot_subscriptions{${app}}`)).toBe(2);
    expect(values.get(`earshot_api_messages_total{${app}}`)).toBe(1);
    expect(values.get(`earshot_deliveries_total{${app}}`)).toBe(3);
    expect(values.get(`earshot_api_requests_total{${app},endpoint="events",status="200"}`)).toBe(1);
    expect(values.get(`earshot_api_requests_total{${app},endpoint="channels",status="401"}`)).toBe(1);
    expect(values.get(`earshot_refusals_total{${app},reason="apiSignatureInvalid",limit=""}`)).toBe(1);
    expect(values.get(`earshot_refusals_total{app="",reason="appUnknown",limit=""}`)).toBe(1);
    expect(values.get("process_resident_memory_bytes")).toBeGreaterThan(10_000_000);
  });

  test("are not filled by strangers with names of their own", async () => {
    for (let i = 0; i < 20; i++) {
      await connectRaw(earshot, { key: `stranger-${i}` });
      await fetch(`${earshot.url}/apps/stranger-${i}/channels?auth_key=x`);
    }
    expect(await (await scrape(`Bearer ${TOKEN}`)).text()).not.toContain("stranger");
  });
});

test("metrics without a token are not served on the main port", async () => {
  const earshot = await startEarshot();
  expect((await fetch(`${earshot.url}/metrics`)).status).toBe(404);
  await earshot.stop();
});

test("metrics on a port of their own need no token, and are all that is there", async () => {
  const port = await freePort();
  const earshot = await startEarshot({ args: ["--metrics-port", String(port)] });
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(answer.status).toBe(200);
  expect(await answer.text()).toContain("earshot_connections");
  for (const path of ["/", "/healthz", "/apps/7/channels", `/app/${earshot.app.key}`]) {
    expect([path, (await fetch(`http://127.0.0.1:${port}${path}`)).status]).toEqual([path, 404]);
  }
  expect((await fetch(`${earshot.url}/metrics`)).status).toBe(404);
  await earshot.stop();
});

test("healthz and readyz answer 200 while all is well", async () => {
  const earshot = await startEarshot();
  const healthz = await fetch(`${earshot.url}/healthz`);
  expect([healthz.status, await healthz.text()]).toEqual([200, "ok\n"]);
  const readyz = await fetch(`${earshot.url}/readyz`);
  expect([readyz.status, await readyz.text()]).toEqual([200, "ready\n"]);
  await earshot.stop();
});

function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address();
    server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
  });
  return promise;
}
