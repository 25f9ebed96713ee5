import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { connectRaw } from "../support/raw-client.ts";
import { until } from "../support/until.ts";

let earshot: Earshot;

beforeAll(async () => {
  earshot = await startEarshot();
});

afterAll(() => earshot.stop());

/** 0 for a welcome, else the code of the close frame. */
async function codeFrom(origin: string | undefined): Promise<number> {
  const client = await connectRaw(earshot, origin === undefined ? {} : { headers: { origin } });
  if (client.socketId === "") return (await client.closed).code;
  client.close();
  return 0;
}

test("an app that names no origins lets every page in", async () => {
  expect(await codeFrom("https://anywhere.example")).toBe(0);
});

describe("an app that names origins", () => {
  beforeAll(async () => {
    const origins = ["https://shop.example.com", "https://*.example.org", "http://localhost:3000"];
    await earshot.updateApp(...origins.flatMap((origin) => ["--allowed-origin", origin]));
    await until("they have taken effect", async () => (await codeFrom("https://evil.example")) === 4009);
  });

  test.each([
    "https://shop.example.com",
    "HTTPS://Shop.Example.com",
    "https://a.example.org",
    "https://a.b.example.org",
    "http://localhost:3000",
  ])("lets %s in", async (origin) => {
    expect(await codeFrom(origin)).toBe(0);
  });

  test.each([
    "https://evil.example",
    "http://shop.example.com",
    "https://shop.example.com.evil.example",
    "https://shop.example.com:8443",
    "https://example.org",
    "https://evilexample.org",
    "http://localhost",
    "null",
  ])("keeps %s out", async (origin) => {
    expect(await codeFrom(origin)).toBe(4009);
  });

  test("lets programs in, which have no origin", async () => {
    expect(await codeFrom(undefined)).toBe(0);
  });

  test("says to the page which origin was refused", async () => {
    const client = await connectRaw(earshot, { headers: { origin: "https://evil.example" } });
    expect((await client.closed).reason).toBe(
      "Connection is unauthorized: origin https://evil.example is not allowed",
    );
  });
});
