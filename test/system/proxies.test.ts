/** Whom the server believes what X-Forwarded-For and X-Forwarded-Proto say. */
import { afterEach, expect, test } from "bun:test";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { connectRaw } from "../support/raw-client.ts";
import { until } from "../support/until.ts";

let earshot: Earshot | undefined;

afterEach(() => earshot?.stop());

async function start(...args: string[]): Promise<Earshot> {
  earshot = await startEarshot({ args });
  await earshot.updateApp("--tls-only", "true");
  const started = earshot;
  await until("the app wants TLS", async () => (await codeOf(started, {})) === 4000);
  return earshot;
}

/** 0 for a welcome, else the code of the close frame. */
async function codeOf(server: Earshot, headers: Record<string, string>): Promise<number> {
  const client = await connectRaw(server, { headers });
  if (client.socketId === "") return (await client.closed).code;
  client.close();
  return 0;
}

let strangers = 0;

/** The address that the log names for a refused client. */
async function loggedAddress(server: Earshot, headers: Record<string, string>): Promise<unknown> {
  const key = `stranger-${++strangers}`;
  await connectRaw(server, { key, headers });
  const line = () =>
    server
      .output()
      .split("\n")
      .find((one) => one.includes(`"key":"${key}"`) && one.endsWith("}"));
  await until("the refusal is logged", () => line() !== undefined);
  return JSON.parse(line() ?? "{}").address;
}

test("a named proxy is believed that the client used TLS", async () => {
  const server = await start("--http-trusted-proxies", "127.0.0.0/8");
  expect(await codeOf(server, { "x-forwarded-proto": "https" })).toBe(0);
  expect(await codeOf(server, { "x-forwarded-proto": "wss" })).toBe(0);
  expect(await codeOf(server, { "x-forwarded-proto": "http" })).toBe(4000);
  // Each proxy appends what it saw: the last word is that of the proxy that is trusted.
  expect(await codeOf(server, { "x-forwarded-proto": "https, http" })).toBe(4000);
});

test("a stranger is not believed", async () => {
  const server = await start("--http-trusted-proxies", "192.0.2.0/24");
  expect(await codeOf(server, { "x-forwarded-proto": "https" })).toBe(4000);
});

test("nobody is believed at first", async () => {
  const server = await start();
  expect(await codeOf(server, { "x-forwarded-proto": "https" })).toBe(4000);
  expect(await loggedAddress(server, { "x-forwarded-for": "203.0.113.7" })).toBe("127.0.0.1");
});

test("the client's address is the nearest one that is no named proxy", async () => {
  const server = await start("--http-trusted-proxies", "127.0.0.1", "--http-trusted-proxies", "10.0.0.0/8");
  expect(await loggedAddress(server, {})).toBe("127.0.0.1");
  expect(await loggedAddress(server, { "x-forwarded-for": "203.0.113.7" })).toBe("203.0.113.7");
  // What a client writes there itself stands further left than what the proxies saw.
  expect(await loggedAddress(server, { "x-forwarded-for": "1.1.1.1, 203.0.113.7, 10.1.2.3" })).toBe(
    "203.0.113.7",
  );
  expect(await loggedAddress(server, { "x-forwarded-for": "unknown, 10.1.2.3" })).toBe("10.1.2.3");
});
