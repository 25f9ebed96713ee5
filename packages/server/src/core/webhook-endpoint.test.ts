import { describe, expect, test } from "bun:test";
import { InvalidApp, makeApp, type WebhookEndpoint } from "./app.ts";

const ENDPOINT: WebhookEndpoint = {
  id: "e1",
  url: "https://shop.example.com/webhooks?from=earshot",
  events: ["channel_occupied"],
  prefix: "",
  suffix: "",
  batch: true,
  headers: {},
  enabled: true,
  createdMs: 0,
};

const appWith = (...webhooks: Partial<WebhookEndpoint>[]) =>
  makeApp({ id: "7", keys: [], webhooks: webhooks.map((one) => ({ ...ENDPOINT, ...one })) });

/** What one endpoint is refused with. */
function refusal(change: Partial<WebhookEndpoint>): string {
  try {
    appWith(change);
  } catch (error) {
    if (error instanceof InvalidApp) return error.message;
    throw error;
  }
  return "";
}

describe("a webhook endpoint", () => {
  test("is kept as it is, and cannot be changed in place", () => {
    const endpoint = { ...ENDPOINT, prefix: "private-", suffix: "-live", headers: { "X-Tenant": "a b" } };
    const { webhooks } = appWith(endpoint);
    expect(webhooks).toEqual([endpoint]);
    const [first] = webhooks;
    for (const part of [webhooks, first, first?.events, first?.headers])
      expect(Object.isFrozen(part)).toBe(true);
  });

  test("lists its events in one order, however they were named", () => {
    expect(
      appWith({ events: ["cache_miss", "member_added", "channel_vacated"] }).webhooks[0]?.events,
    ).toEqual(["channel_vacated", "member_added", "cache_miss"]);
  });

  test("stands behind those that are older", () => {
    const ids = appWith(
      { id: "late", createdMs: 3 },
      { id: "b", createdMs: 1 },
      { id: "a", createdMs: 1 },
    ).webhooks.map(({ id }) => id);
    expect(ids).toEqual(["a", "b", "late"]);
  });

  test("has a URL that is absolute, with http or https and nothing that cannot be sent", () => {
    for (const url of [
      "http://127.0.0.1:9000",
      "HTTPS://shop.example.com/x",
      "http://[::1]:80/",
      "http://a.example/ö",
    ])
      expect(refusal({ url })).toBe("");
    for (const url of [
      "",
      "/webhooks",
      "shop.example.com",
      "ftp://a.example",
      "http://",
      "http:a.example",
      " http://a.example",
      "http://a.example/\n",
    ])
      expect(refusal({ url })).toContain("write an absolute address with http or https");
    expect(refusal({ url: "https://a.example/x#part" })).toContain("has a fragment, which is never sent");
    expect(refusal({ url: `https://a.example/${"x".repeat(2_000)}` })).toBe(
      "The webhook URL is 2018 characters long: use at most 2000; what else the receiver must know can go into a header.",
    );
  });

  test("holds no credentials in its URL, and the refusal does not repeat them", () => {
    for (const url of [
      "https://me:swordfish@a.example/x",
      "https://swordfish@a.example",
      "ftp://me:swordfish@a.example",
    ]) {
      expect(refusal({ url })).not.toBe("");
      expect(refusal({ url })).not.toContain("swordfish");
    }
  });

  test("wants at least one event, each once, and none that is not there", () => {
    expect(refusal({ events: [] })).toContain("name at least one. Events are: channel_occupied, ");
    expect(refusal({ events: ["cache_miss", "cache_miss"] })).toBe(
      "Webhook event cache_miss is named twice: name it once.",
    );
    const unknown = ["channel_opened"] as unknown as WebhookEndpoint["events"]; // as another version may have written it
    expect(refusal({ events: unknown })).toContain('There is no webhook event "channel_opened".');
  });

  test("filters by what a channel name can hold", () => {
    for (const affix of ["private-*", "a b", "#server", "x".repeat(201)]) {
      expect(refusal({ prefix: affix })).toContain("Webhook prefix ");
      expect(refusal({ suffix: affix })).toContain("use at most 200 letters");
    }
    expect(refusal({ prefix: "x".repeat(200), suffix: "-_=@,.;" })).toBe("");
  });

  test("sends headers of its own, but none of ours, of the connection's, or in two spellings", () => {
    expect(refusal({ headers: { Authorization: "Bearer abc", "X-Tenant": "7" } })).toBe("");
    for (const name of [
      "content-type",
      "Content-Length",
      "Host",
      "CONNECTION",
      "Transfer-Encoding",
      "User-Agent",
      "X-Pusher-Key",
      "x-earshot-delivery",
    ])
      expect(refusal({ headers: { [name]: "x" } })).toContain(`Webhook header ${name} cannot be set`);
    for (const name of ["", "a b", "a:b", "ä", "a\r\nb", "x".repeat(101)])
      expect(refusal({ headers: { [name]: "x" } })).toContain("Webhook header name ");
    expect(refusal({ headers: { "X-A": "1", "x-a": "2" } })).toBe(
      "Webhook header x-a is there twice: give it once, in one spelling.",
    );
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`X-${at}`, "x"]));
    expect(refusal({ headers: many(20) })).toBe("");
    expect(refusal({ headers: many(21) })).toContain("an endpoint may have 20");
    expect(refusal({ headers: { "X-A": "x".repeat(4_000) } })).toContain("use at most 4000");
  });

  test("sends no header that would end the line, and the refusal does not repeat the value", () => {
    for (const value of [
      "",
      "swordfish\r\nX-Pusher-Key: k",
      "swordfish\u0000",
      " swordfish",
      "swordfish ",
      "swörd",
    ]) {
      expect(refusal({ headers: { "X-A": value } })).toContain(
        "The value of webhook header X-A is not valid",
      );
      expect(refusal({ headers: { "X-A": value } })).not.toContain("swordfish");
    }
  });

  test("has an id that a URL can hold, which no other endpoint of the app has", () => {
    for (const id of ["", "a/b", "a b", "x".repeat(65)])
      expect(refusal({ id })).toContain("Webhook endpoint id ");
    expect(() => appWith({ id: "a" }, { id: "a" })).toThrow('Webhook endpoint id "a" is there twice');
  });

  test("is one of at most fifty", () => {
    const many = (count: number) => Array.from({ length: count }, (_, at) => ({ id: `e${at}` }));
    expect(appWith(...many(50)).webhooks).toHaveLength(50);
    expect(() => appWith(...many(51))).toThrow("51 webhook endpoints are too many: an app may have 50.");
  });
});
