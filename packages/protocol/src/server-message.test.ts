import { afterAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { protocolError } from "./errors.ts";
import {
  cacheMiss,
  clientEvent,
  connectionEstablished,
  error,
  event,
  eventWriter,
  memberAdded,
  memberRemoved,
  PING,
  PONG,
  presenceSucceeded,
  signinSuccess,
  subscriptionCount,
  subscriptionErrors,
  subscriptionSucceeded,
  watchlistEvents,
} from "./server-message.ts";
import { Golden } from "./testing/golden.ts";

const golden = new Golden("frames");
const text = fc.string({ unit: "binary" });

const ZOE = { userId: "u-7", infoJson: '{"name":"Zoë"}' };
const ANN = { userId: "u-8", infoJson: '{"name":"Ann"}' };
const ENCRYPTED = JSON.stringify({
  nonce: "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7",
  ciphertext: "Txtz7gE53cJeSty30XrXY6tjz5cTQce2YNpy3mn8Bg==",
});

function parsed(frame: string): Record<string, unknown> {
  return JSON.parse(frame);
}

/** What a string `data` holds. */
function inside(frame: string): unknown {
  const { data } = parsed(frame);
  expect(typeof data).toBe("string");
  return JSON.parse(String(data));
}

describe("golden frames", () => {
  const [internal, plain] = subscriptionErrors(
    "private-orders-42",
    protocolError("signatureInvalid", { signed: "13.37:private-orders-42", got: "0000" }),
  );

  test.each([
    ["connection-established", connectionEstablished("208836.27464492", 120)],
    ["ping", PING],
    ["pong", PONG],
    ["error", error(protocolError("subscriptionExists", { channel: "news" }))],
    ["error-measured", error(protocolError("clientEventTooLarge", {}, { limit: 10_240, actual: 10_241 }))],
    ["subscription-succeeded", subscriptionSucceeded("private-orders-42")],
    ["subscription-succeeded-presence", presenceSucceeded("presence-room-1", [ZOE, ANN])],
    ["subscription-error-internal", internal],
    ["subscription-error", plain],
    ["member-added", memberAdded("presence-room-1", ZOE)],
    ["member-removed", memberRemoved("presence-room-1", "u-7")],
    ["subscription-count", subscriptionCount("news", 3)],
    ["signin-success", signinSuccess('{"id":"u-7","user_info":{"name":"Zoë"},"watchlist":["u-8"]}')],
    ["watchlist-events", watchlistEvents(["u-8", "u-9"], ["u-10"])],
    ["watchlist-online", watchlistEvents(["u-8"], [])],
    ["watchlist-offline", watchlistEvents([], ["u-8"])],
    ["cache-miss", cacheMiss("cache-price")],
    ["event", event("order-shipped", "private-orders-42", '{"id":42}')],
    ["event-text", event("App\\Events\\Said", "news", 'not JSON: "Zoë" \u0000 \u2028 😀')],
    ["event-encrypted", event("secret", "private-encrypted-vault", ENCRYPTED)],
    ["event-user", event("notice", "#server-to-user-u-7", "{}")],
    ["client-event", clientEvent("client-typing", "private-chat", '{"on":true}', undefined)],
    ["client-event-presence", clientEvent("client-typing", "presence-chat", '{"on":true}', "u-7")],
  ])("%s", (name, frame) => {
    expect(`${frame}\n`).toBe(golden.text(name, `${frame}\n`));
    expect(frame).not.toMatch(/[\n\r]/);
  });

  afterAll(() => expect(golden.strays).toEqual([]));
});

describe("data is a string, but for pusher:error", () => {
  test("of JSON where the message is the protocol's own", () => {
    expect(inside(connectionEstablished("1.2", 30))).toEqual({ socket_id: "1.2", activity_timeout: 30 });
    expect(inside(presenceSucceeded("presence-x", [ZOE]))).toEqual({
      presence: { ids: ["u-7"], hash: { "u-7": { name: "Zoë" } }, count: 1 },
    });
    expect(inside(memberAdded("presence-x", ZOE))).toEqual({ user_id: "u-7", user_info: { name: "Zoë" } });
    expect(inside(memberRemoved("presence-x", "u-7"))).toEqual({ user_id: "u-7" });
    expect(inside(subscriptionCount("news", 3))).toEqual({ subscription_count: 3 });
  });

  test("exactly {} where there is nothing to say", () => {
    for (const frame of [PING, PONG, subscriptionSucceeded("news"), cacheMiss("cache-x")]) {
      expect(parsed(frame)["data"]).toBe("{}");
    }
  });

  test("which is an object with a number or null as code, and no channel", () => {
    const frame = parsed(error(protocolError("channelNameInvalid", { channel: "a b" })));
    expect(frame).not.toHaveProperty("channel");
    expect(frame["data"]).toEqual({
      code: null,
      message: "Invalid channel name a b",
      reason: "channelNameInvalid",
      remedy: "Use letters, digits and _ - = @ , . ; only.",
    });
    expect(
      parsed(error(protocolError("clientEventRate", {}, { limit: 10, actual: 11 })))["data"],
    ).toMatchObject({
      code: 4301,
      limit: 10,
      actual: 11,
    });
  });
});

describe("presence", () => {
  test("has an object as hash, also with digits as ids, and one key for each id", () => {
    const members = ["10", "9", "0"].map((userId) => ({ userId, infoJson: "{}" }));
    const frame = presenceSucceeded("presence-x", members);
    expect(inside(frame)).toEqual({
      presence: { ids: ["10", "9", "0"], hash: { "0": {}, "9": {}, "10": {} }, count: 3 },
    });
  });

  test("keeps a user who is called __proto__", () => {
    const frame = presenceSucceeded("presence-x", [{ userId: "__proto__", infoJson: '{"a":1}' }]);
    const data = String(parsed(frame)["data"]);
    expect(data).toBe('{"presence":{"ids":["__proto__"],"hash":{"__proto__":{"a":1}},"count":1}}');
  });

  test("is readable with any user and any info", () => {
    fc.assert(
      fc.property(fc.uniqueArray(text), fc.jsonValue(), (ids, info) => {
        const members = ids.map((userId) => ({ userId, infoJson: JSON.stringify(info) }));
        const { presence } = inside(presenceSucceeded("presence-x", members)) as {
          presence: Record<string, unknown>;
        };
        expect(presence["ids"]).toEqual(ids);
        expect(presence["count"]).toBe(ids.length);
        expect(Object.keys(presence["hash"] ?? {}).sort()).toEqual([...ids].sort());
      }),
    );
  });
});

describe("an application's event", () => {
  test("carries name, channel and data unchanged, whatever they hold", () => {
    fc.assert(
      fc.property(text, text, text, (name, channel, data) => {
        expect(parsed(event(name, channel, data))).toEqual({ event: name, channel, data });
        expect(parsed(clientEvent(name, channel, data, undefined))).toEqual({ event: name, channel, data });
        expect(parsed(clientEvent(name, channel, data, name))).toEqual({
          event: name,
          channel,
          data,
          user_id: name,
        });
      }),
    );
  });

  test("is the same whether it is written for one channel or for many", () => {
    const write = eventWriter("e", "d");
    for (const channel of ["a", "b"]) expect(write(channel)).toBe(event("e", channel, "d"));
  });

  test("has a UTF-8 form also where its data has none", () => {
    expect(event("e", "c", "\ud800").isWellFormed()).toBe(true);
    expect(memberRemoved("presence-x", "\udfff").isWellFormed()).toBe(true);
  });
});

describe("a signed-in user", () => {
  test("gets back the very string of the sign-in, in a frame without a channel", () => {
    fc.assert(
      fc.property(text, (userData) => {
        const frame = signinSuccess(userData);
        expect(Object.keys(parsed(frame))).toEqual(["event", "data"]);
        expect(inside(frame)).toEqual({ user_data: userData });
      }),
    );
  });

  test("is told of watched users in a frame without a channel, whatever they are called", () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1 }), fc.array(text, { minLength: 1 }), (online, offline) => {
        const frame = watchlistEvents(online, offline);
        expect(Object.keys(parsed(frame))).toEqual(["event", "data"]);
        expect(inside(frame)).toEqual({
          events: [
            { name: "online", user_ids: online },
            { name: "offline", user_ids: offline },
          ],
        });
      }),
    );
  });
});

describe("a refused subscription", () => {
  test("ends the waiting of all clients: two frames with the channel and data as text", () => {
    const failure = protocolError("presenceFull", { channel: "presence-x" }, { limit: 100, actual: 101 });
    const [internal, plain] = subscriptionErrors("presence-x", failure);
    expect(parsed(internal)).toMatchObject({
      event: "pusher_internal:subscription_error",
      channel: "presence-x",
    });
    expect(parsed(plain)).toMatchObject({ event: "pusher:subscription_error", channel: "presence-x" });
    const details = { type: "LimitReached", error: failure.message, status: 403, limit: 100, actual: 101 };
    expect(inside(internal)).toEqual(details);
    expect(inside(plain)).toEqual(details);
  });

  test("repeats any channel name without breaking the frame", () => {
    fc.assert(
      fc.property(text, (channel) => {
        for (const frame of subscriptionErrors(channel, protocolError("channelNameInvalid", { channel }))) {
          expect(parsed(frame)["channel"]).toBe(channel);
          expect(inside(frame)).toMatchObject({ error: `Invalid channel name ${channel}` });
        }
      }),
    );
  });
});
