import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { signWebhook } from "./signature.ts";
import { Golden } from "./testing/golden.ts";
import { nodeDigest } from "./testing/node-digest.ts";
import {
  isStateEvent,
  parseWebhook,
  type SentEvent,
  UnreadableWebhook,
  WEBHOOK_NAMES,
  type WebhookEvent,
  writeWebhook,
} from "./webhook.ts";

const PAIR = { key: "9f1c2e7a4b5d6083c1aa", secret: "d2b8f6e1a90347c5e0ff" };
const TIME_MS = 1_700_000_000_123;
const STAMP = { id: "4711-1700000000120000", version: 1_700_000_000_120_000, occurred_ms: 1_700_000_000_120 };

/** The hosted service's objects, byte for byte. */
const OFFICIAL: readonly (readonly [name: string, text: string])[] = [
  ["channel-occupied", '{"name":"channel_occupied","channel":"my-channel"}'],
  ["channel-vacated", '{"name":"channel_vacated","channel":"my-channel"}'],
  ["member-added", '{"name":"member_added","channel":"presence-room","user_id":"u-7"}'],
  ["member-removed", '{"name":"member_removed","channel":"presence-room","user_id":"u-7"}'],
  [
    "client-event-presence",
    '{"name":"client_event","channel":"presence-room","event":"client-typing","data":"{\\"on\\":true}","socket_id":"13.37","user_id":"u-7"}',
  ],
  [
    "client-event",
    '{"name":"client_event","channel":"private-room","event":"client-typing","data":"{\\"on\\":true}","socket_id":"13.37"}',
  ],
  ["cache-miss", '{"name":"cache_miss","channel":"cache-price"}'],
  ["subscription-count", '{"name":"subscription_count","channel":"news","subscription_count":3}'],
];

/** Its worked signatures: two bodies without stamps. */
const WORKED = [
  [
    "worked-occupied",
    '{"time_ms":1700000000123,"events":[{"name":"channel_occupied","channel":"orders"}]}',
    "85e098e543689a9734e824181708e304cebcbc2f383b5de7771a01c0d158b85e",
  ],
  [
    "worked-batch",
    '{"time_ms":1700000000123,"events":[{"name":"client_event","channel":"presence-room-1","event":"client-typing","data":"{\\"on\\":true}","socket_id":"13.37","user_id":"u-7"},{"name":"member_removed","channel":"presence-room-1","user_id":"u-8"}]}',
    "f8981920e3231e8455910608cd97e99f9df49989cc7803dc3101df1fbe8d4ae5",
  ],
] as const;

/** Keys in the opposite order: what is written does not depend on how an event was made. */
function backwards<T extends object>(event: T): T {
  return Object.fromEntries(Object.entries(event).reverse()) as T; // the same fields
}

function signed(body: string): string {
  return [
    "Content-Type: application/json",
    `X-Pusher-Key: ${PAIR.key}`,
    `X-Pusher-Signature: ${signWebhook(nodeDigest, PAIR.secret, body)}`,
    "",
    `${body}\n`,
  ].join("\n");
}

describe("golden webhooks", () => {
  const golden = new Golden("webhooks");

  test.each(OFFICIAL)("%s: the official object, then id, version and occurred_ms", (name, official) => {
    const event: WebhookEvent = JSON.parse(official);
    const body = writeWebhook({ timeMs: TIME_MS, events: [{ ...backwards(event), ...STAMP }] });
    expect(signed(body)).toBe(golden.text(name, signed(body)));
    expect(body).toContain(
      `[${official.slice(0, -1)},"id":"${STAMP.id}","version":${STAMP.version},"occurred_ms":${STAMP.occurred_ms}}]`,
    );
    expect(writeWebhook({ timeMs: TIME_MS, events: [backwards(event)] })).toContain(`[${official}]`);
  });

  test.each(WORKED)("%s: the known signature of a body without stamps", (name, body, signature) => {
    const webhook = parseWebhook(body);
    if (webhook instanceof UnreadableWebhook) throw new Error(webhook.problem);
    const written = writeWebhook({ ...webhook, events: webhook.events.map(backwards) });
    expect(written).toBe(body);
    expect(signed(written)).toContain(`X-Pusher-Signature: ${signature}\n`);
    expect(signed(written)).toBe(golden.text(name, signed(written)));
  });

  test("the page about webhooks shows these bytes", () => {
    const page = readFileSync(new URL("../../../docs/protocol/webhooks.md", import.meta.url), "utf8");
    for (const [, official] of OFFICIAL) expect(page).toContain(`\n${official}\n`);
    const body = writeWebhook({
      timeMs: TIME_MS,
      events: [{ name: "channel_occupied", channel: "my-channel", ...STAMP }],
    });
    const [type = "", key = "", signature = ""] = signed(body).split("\n");
    for (const line of [type, key, signature, body]) expect(page).toContain(`\n${line}\n`);
  });

  afterAll(() => expect(golden.strays).toEqual([]));
});

const TEXT = fc.string({ unit: "binary" });
const STAMPS = fc.record({ id: TEXT, version: fc.maxSafeNat(), occurred_ms: fc.maxSafeNat() });
const CHANNEL = fc.string({ unit: "binary", minLength: 1 });
const EVENT: fc.Arbitrary<WebhookEvent> = fc.oneof(
  fc.record({ name: fc.constantFrom("channel_occupied", "channel_vacated", "cache_miss"), channel: CHANNEL }),
  fc.record({ name: fc.constantFrom("member_added", "member_removed"), channel: CHANNEL, user_id: TEXT }),
  fc.record(
    {
      name: fc.constant("client_event" as const),
      channel: CHANNEL,
      event: TEXT,
      data: TEXT,
      socket_id: TEXT,
      user_id: TEXT,
    },
    { requiredKeys: ["name", "channel", "event", "data", "socket_id"] },
  ),
  fc.record({
    name: fc.constant("subscription_count" as const),
    channel: CHANNEL,
    subscription_count: fc.maxSafeNat(),
  }),
);
const SENT: fc.Arbitrary<SentEvent> = fc.oneof(
  EVENT,
  fc.tuple(EVENT, STAMPS).map(([event, stamp]) => ({ ...event, ...stamp })),
);

describe("what is written", () => {
  test("is read back as it was, whatever the texts hold", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.array(SENT), (timeMs, events) => {
        const body = writeWebhook({ timeMs, events: events.map(backwards) });
        expect(body.isWellFormed()).toBe(true);
        expect(parseWebhook(body)).toEqual({ timeMs, events });
      }),
    );
  });

  test("is flat: no object, array or null in an event, which some libraries cannot decode", () => {
    fc.assert(
      fc.property(fc.array(SENT), (events) => {
        const body: { events: object[] } = JSON.parse(writeWebhook({ timeMs: TIME_MS, events }));
        const values = body.events.flatMap((event) => Object.values(event));
        expect(values.filter((value) => typeof value !== "string" && typeof value !== "number")).toEqual([]);
      }),
    );
  });
});

describe("what is read", () => {
  const read = (events: unknown, timeMs: unknown = TIME_MS) =>
    parseWebhook(JSON.stringify({ time_ms: timeMs, events }));
  const problem = (text: string) => new UnreadableWebhook(text);

  test("leaves out fields and kinds of events that it does not know", () => {
    const text = `{"version":2,"time_ms":5,"events":[
      {"name":"channel_paused","since":[1]},
      {"name":"cache_miss","channel":"cache-x","data":{"a":null},"user_id":7,"__proto__":{"id":"x"}}]}`;
    expect(parseWebhook(text)).toEqual({ timeMs: 5, events: [{ name: "cache_miss", channel: "cache-x" }] });
    expect(read([])).toEqual({ timeMs: TIME_MS, events: [] });
  });

  test("needs no stamp, and no user on channels without members", () => {
    const events = OFFICIAL.map(([, official]): WebhookEvent => JSON.parse(official));
    expect(read(events)).toEqual({ timeMs: TIME_MS, events });
  });

  test("is refused where it is no JSON object", () => {
    for (const text of ["", "x", "[]", "null", "7", '"{}"', '{"time_ms":1', "\ud800"]) {
      expect(parseWebhook(text)).toEqual(problem("the body is not a JSON object"));
    }
  });

  test("is refused where time_ms is not a whole number", () => {
    for (const timeMs of ["1700000000123", 1.5, -1, null, 2 ** 60, true]) {
      expect(read([], timeMs)).toEqual(problem("time_ms is not a whole number of milliseconds"));
    }
    expect(parseWebhook('{"events":[]}')).toBeInstanceOf(UnreadableWebhook);
  });

  test("is refused as a whole, with the place, where one event is not as its name says", () => {
    const miss = { name: "cache_miss", channel: "cache-x" };
    const client = {
      name: "client_event",
      channel: "private-x",
      event: "client-x",
      data: "",
      socket_id: "1.2",
    };
    const cases: readonly (readonly [unknown, string])[] = [
      [null, "events[1] is not an object"],
      [[miss], "events[1] is not an object"],
      [{ channel: "x" }, "events[1].name is not a string"],
      [{ name: "channel_occupied" }, "events[1].channel is not a string"],
      [{ name: "channel_occupied", channel: "" }, "events[1].channel is empty"],
      [{ name: "member_added", channel: "presence-x", user_id: 7 }, "events[1].user_id is not a string"],
      [{ ...client, data: { on: true } }, "events[1].data is not a string"],
      [{ ...client, user_id: null }, "events[1].user_id is not a string"],
      [
        { name: "subscription_count", channel: "x", subscription_count: "3" },
        "events[1].subscription_count is not a whole number",
      ],
      [{ ...miss, version: 2 ** 53 }, "events[1].version is not a whole number"],
      [{ ...miss, id: 7 }, "events[1].id is not a string"],
    ];
    for (const [event, text] of cases) expect(read([miss, event])).toEqual(problem(text));
    for (const events of [undefined, null, {}, "[]"]) {
      expect(read(events)).toEqual(problem("events is not an array"));
    }
  });

  test("never makes the parser throw, and has only what it says", () => {
    const anything = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc
        .record({
          time_ms: fc.oneof(fc.maxSafeNat(), fc.jsonValue()),
          events: fc.array(
            fc.dictionary(
              fc.constantFrom("name", "channel", "user_id", "data", "event", "socket_id", "version", "id"),
              fc.oneof(fc.constantFrom<string[]>(...WEBHOOK_NAMES), fc.jsonValue()),
            ),
          ),
        })
        .map((body) => JSON.stringify(body)),
    );
    fc.assert(
      fc.property(anything, (text) => {
        const webhook = parseWebhook(text);
        if (webhook instanceof UnreadableWebhook) return;
        for (const { name, channel } of webhook.events) {
          expect(WEBHOOK_NAMES).toContain(name);
          expect(channel).not.toBe("");
        }
        expect(parseWebhook(writeWebhook(webhook))).toEqual(webhook);
      }),
      { numRuns: 1_000 },
    );
  });

  test("may be nested as deeply as it likes", () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    for (const text of [deep, `{"time_ms":1,"events":[${deep}]}`, `{"time_ms":1,"events":${deep}}`]) {
      expect(parseWebhook(text)).toBeInstanceOf(UnreadableWebhook);
    }
  });
});

test("events that tell a state are those whose newest one counts", () => {
  const events = OFFICIAL.map(([, official]): WebhookEvent => JSON.parse(official));
  expect(events.filter(isStateEvent).map(({ name }) => name)).toEqual([
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
  ]);
});
