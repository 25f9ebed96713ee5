/** What Earshot writes and signs, read by the official back-end library as an application's receiver reads it. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { signWebhook } from "@earshot/protocol/signature";
import { type SentEvent, writeWebhook } from "@earshot/protocol/webhook";
import fc from "fast-check";
import Pusher from "pusher";
import { digest } from "../support/digest.ts";
import { TEST_APP } from "../support/earshot.ts";

const FOLDER = join(import.meta.dir, "../golden/webhooks");

function libraryOf(app: { readonly id: string; readonly key: string; readonly secret: string }): Pusher {
  return new Pusher({ appId: app.id, key: app.key, secret: app.secret, host: "127.0.0.1" });
}

/** A golden file: headers, an empty line, the body. */
function request(file: string): { headers: Record<string, string>; rawBody: string } {
  const [head = "", rawBody = ""] = readFileSync(join(FOLDER, file), "utf8").trimEnd().split("\n\n");
  const headers = head.split("\n").map((line): [string, string] => {
    const [name = "", value = ""] = line.split(": ");
    return [name.toLowerCase(), value];
  });
  return { headers: Object.fromEntries(headers), rawBody };
}

describe("the official library", () => {
  const { key, secret } = TEST_APP;
  const headersOf = (body: string) => ({
    "content-type": "application/json",
    "x-pusher-key": key,
    "x-pusher-signature": signWebhook(digest, secret, body),
  });

  test.each(readdirSync(FOLDER))("accepts the golden webhook %s, and none that was changed", (file) => {
    const { headers, rawBody } = request(file);
    const library = libraryOf({ id: "4711", key: headers["x-pusher-key"] ?? "", secret: GOLDEN_SECRET });
    const webhook = library.webhook({ headers, rawBody });
    expect(webhook.isValid()).toBe(true);
    expect(webhook.getEvents()[0]?.name).toBeString();
    expect(webhook.getTime().getTime()).toBe(1_700_000_000_123);
    expect(library.webhook({ headers, rawBody: rawBody.replace("channel", "Channel") }).isValid()).toBe(
      false,
    );
    const other = libraryOf({ id: "4711", key: "other", secret: GOLDEN_SECRET });
    expect(other.webhook({ headers, rawBody }).isValid()).toBe(false);
  });

  test("accepts and reads whatever texts an event holds, with a whole number as time", () => {
    const text = fc.string({ unit: "binary" });
    const events: fc.Arbitrary<SentEvent[]> = fc.array(
      fc.record({
        name: fc.constant("client_event" as const),
        channel: text,
        event: text,
        data: text,
        socket_id: text,
        user_id: text,
        id: text,
        version: fc.maxSafeNat(),
        occurred_ms: fc.maxSafeNat(),
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4_102_444_800_000 }), events, (timeMs, given) => {
        const rawBody = writeWebhook({ timeMs, events: given });
        const webhook = libraryOf(TEST_APP).webhook({ headers: headersOf(rawBody), rawBody });
        expect(webhook.isValid()).toBe(true);
        expect(webhook.getData()).toEqual({ time_ms: timeMs, events: given } as never);
        expect(Number.isSafeInteger(webhook.getData().time_ms)).toBe(true);
      }),
    );
  });
});

/** Of the imagined app of all golden texts. */
const GOLDEN_SECRET = "d2b8f6e1a90347c5e0ff";
