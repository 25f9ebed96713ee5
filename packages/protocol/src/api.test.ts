import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  parseBatch,
  parseChannelQuery,
  parseChannelsQuery,
  parseLegacyTrigger,
  parseTrigger,
} from "./api.ts";
import { channelKind } from "./channel.ts";
import { ProtocolError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { Query } from "./query.ts";

const NO_QUERY = new Query("auth_key=K");
const EVENT = { name: "order-shipped", channels: ["private-orders-42"], data: '{"id":42}' };

const parse = (body: unknown, query = NO_QUERY) => parseTrigger(body, query, DEFAULT_LIMITS);
const parseWith = (over: object) => parse({ ...EVENT, ...over });
const without = (name: keyof typeof EVENT) => {
  const { [name]: _left, ...rest } = EVENT;
  return rest;
};
const names = (count: number) => Array.from({ length: count }, (_, index) => `channel-${index}`);

describe("a publish", () => {
  test("names an event, its data and its channels", () => {
    expect(parse({ ...EVENT, socket_id: "1234.5678" })).toEqual({
      name: "order-shipped",
      data: '{"id":42}',
      channels: [{ name: "private-orders-42", kind: channelKind("private-") }],
      info: { userCount: false, subscriptionCount: false, cache: false },
      exceptSocketId: "1234.5678",
    });
  });

  test("may name one channel as `channel`, as php does", () => {
    expect(parse({ ...without("channels"), channel: "news" })).toMatchObject({
      channels: [{ name: "news" }],
    });
    expect(parse({ ...EVENT, channel: "other" })).toMatchObject({
      channels: [{ name: "private-orders-42" }],
    });
    expect(parse({ ...EVENT, channels: null, channel: "news" })).toMatchObject({
      channels: [{ name: "news" }],
    });
  });

  test("counts a channel once that is named twice", () => {
    expect(parseWith({ channels: ["a", "b", "a"] })).toMatchObject({
      channels: [{ name: "a" }, { name: "b" }],
    });
    expect(parseWith({ channels: ["__proto__", "__proto__"] })).toMatchObject({
      channels: [{ name: "__proto__" }],
    });
  });

  test("may go to a signed-in user", () => {
    expect(parseWith({ channels: ["#server-to-user-u-7"] })).toMatchObject({
      channels: [{ kind: { kind: "user" } }],
    });
  });

  test("may have the empty string as data, and keeps every string as it is", () => {
    for (const data of ["", "null", " {} ", "\u2028\u0000😀", "\ud800"])
      expect(parseWith({ data })).toMatchObject({ data });
  });

  test("may have another JSON value as data, which is encoded", () => {
    expect(parseWith({ data: { id: 42 } })).toMatchObject({ data: '{"id":42}' });
    expect(parseWith({ data: [] })).toMatchObject({ data: "[]" });
    expect(parseWith({ data: null })).toMatchObject({ data: "null" });
    expect(parseWith({ data: 0 })).toMatchObject({ data: "0" });
  });

  test("may have any event name but those of the protocol", () => {
    for (const name of ["App\\Events\\Shipped", "order.shipped", "client-x", "pusher", "Pusher:x", "日本"]) {
      expect(parseWith({ name })).toMatchObject({ name });
    }
    for (const name of ["pusher:ping", "pusher:", "pusher_internal:member_added"]) {
      expect(parseWith({ name })).toMatchObject({ reason: "apiEventNameReserved" });
    }
  });

  test("may ask for attributes", () => {
    expect(parseWith({ info: "user_count" })).toMatchObject({
      info: { userCount: true, subscriptionCount: false },
    });
    expect(parseWith({ info: "subscription_count, user_count" })).toMatchObject({
      info: { userCount: true, subscriptionCount: true },
    });
    for (const info of ["", null, undefined])
      expect(parseWith({ info })).toMatchObject({ info: { userCount: false } });
    expect(parseWith({ info: "cache" })).toMatchObject({
      message:
        'Invalid parameter info: there is no attribute "cache" here, only user_count, subscription_count',
    });
    expect(parseWith({ info: ["user_count"] })).toMatchObject({ reason: "apiParameterInvalid" });
  });

  test("may leave out a socket by an empty socket_id or none", () => {
    for (const socket_id of ["", null, undefined]) {
      expect(parseWith({ socket_id })).not.toHaveProperty("exceptSocketId");
    }
  });

  test("is refused with a wrong socket_id", () => {
    for (const socket_id of ["1", "1.", "a.b", "1.2\n", " 1.2", 1.2, {}, ["1.2"], true]) {
      expect(parseWith({ socket_id })).toMatchObject({ reason: "apiSocketIdInvalid", status: 400 });
    }
  });

  test("is refused without name, data or channels", () => {
    for (const parameter of ["name", "data", "channels"] as const) {
      expect(parse(without(parameter))).toMatchObject({
        status: 400,
        message: `Missing parameter: ${parameter}`,
      });
    }
  });

  test("is refused with a name that is no text", () => {
    for (const name of ["", 7, {}, [], true])
      expect(parseWith({ name })).toMatchObject({ reason: "apiParameterInvalid" });
    expect(parseWith({ name: null })).toMatchObject({ reason: "apiParameterMissing" });
  });

  test("is refused with channels that are no list of names", () => {
    for (const channels of ["news", 7, {}, true]) {
      expect(parseWith({ channels })).toMatchObject({
        message: "Invalid parameter channels: it must be an array of channel names",
      });
    }
    expect(parseWith({ channels: [] })).toMatchObject({
      message: "Invalid parameter channels: it must name at least one channel",
    });
    for (const name of [null, 7, {}, [], ["news"], "a b", ""]) {
      expect(parseWith({ channels: ["news", name] })).toMatchObject({
        reason: "channelNameInvalid",
        status: 400,
      });
    }
  });

  test("is measured: channels, characters of the names, bytes of the data", () => {
    expect(parseWith({ channels: names(100) })).toMatchObject({ name: "order-shipped" });
    expect(parseWith({ channels: names(101) })).toMatchObject({
      reason: "apiTooManyChannels",
      status: 400,
      measured: { limit: 100, actual: 101 },
    });
    expect(parseWith({ name: "n".repeat(201) })).toMatchObject({ reason: "eventNameTooLong", status: 400 });
    expect(parseWith({ channels: ["n".repeat(201)] })).toMatchObject({
      reason: "channelNameTooLong",
      status: 400,
    });
    expect(parseWith({ data: "x".repeat(10_240) })).toMatchObject({ name: "order-shipped" });
    expect(parseWith({ data: "x".repeat(10_241) })).toMatchObject({
      status: 413,
      message:
        "The data content of this event exceeds the allowed maximum (10240 bytes). See https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info",
      measured: { limit: 10_240, actual: 10_241 },
    });
    expect(parseWith({ data: "ä".repeat(5_121) })).toMatchObject({ reason: "apiDataTooLarge" });
    expect(parseWith({ data: { x: "ä".repeat(5_120) } })).toMatchObject({ reason: "apiDataTooLarge" });
  });

  test("is refused with data that is nested too deeply, at once", () => {
    const deep: unknown = JSON.parse("[".repeat(100_000) + "]".repeat(100_000));
    for (let round = 0; round < 100; round++) {
      expect(parseWith({ data: deep })).toMatchObject({
        message: "Invalid parameter data: it is nested too deeply",
      });
      expect(parseWith({ channels: [deep] })).toMatchObject({
        message: "Invalid channel name (nested too deeply)",
      });
      expect(parseWith({ channels: deep })).toMatchObject({ reason: "channelNameInvalid" });
      expect(parseWith({ name: deep })).toMatchObject({ reason: "apiParameterInvalid" });
      expect(parseWith({ info: deep })).toMatchObject({ reason: "apiParameterInvalid" });
      expect(parseWith({ socket_id: deep })).toMatchObject({ reason: "apiSocketIdInvalid" });
    }
  });

  test("is refused where the body is no object", () => {
    for (const body of [null, 7, "x", true, [], [EVENT]]) {
      expect(parse(body)).toMatchObject({
        message: "The request body is not valid: it is not a JSON object",
      });
    }
  });

  test("may stand in the query, where the body wins", () => {
    const query = new Query("name=from-query&data=d&channels[]=a&channels[]=b&socket_id=1.2&info=user_count");
    expect(parse(undefined, query)).toMatchObject({
      name: "from-query",
      data: "d",
      channels: [{ name: "a" }, { name: "b" }],
      exceptSocketId: "1.2",
      info: { userCount: true },
    });
    expect(parse({ name: "from-body" }, query)).toMatchObject({ name: "from-body", data: "d" });
    expect(parse(undefined, new Query("name=n&data=d&channels=a,b"))).toMatchObject({
      channels: [{ name: "a" }, { name: "b" }],
    });
    expect(parse(undefined, new Query("name=n&data=d&channel=a"))).toMatchObject({
      channels: [{ name: "a" }],
    });
    expect(parse(undefined, NO_QUERY)).toMatchObject({ message: "Missing parameter: name" });
  });
});

describe("a batch", () => {
  const batch = (value: unknown) => parseBatch({ batch: value }, DEFAULT_LIMITS);
  const one = { channel: "a", name: "e", data: "d" };

  test("holds events for one channel each, in their order", () => {
    expect(batch([one, { ...one, name: "f", socket_id: "1.2", info: "subscription_count" }])).toMatchObject([
      { name: "e", channels: [{ name: "a" }] },
      { name: "f", exceptSocketId: "1.2", info: { subscriptionCount: true } },
    ]);
    expect(batch([])).toEqual([]);
  });

  test("is refused as a whole where one event is wrong", () => {
    expect(batch([one, { ...one, name: "" }])).toMatchObject({ reason: "apiParameterInvalid" });
    expect(batch([one, { ...one, data: "x".repeat(10_241) }])).toMatchObject({ status: 413 });
    expect(batch([one, null])).toMatchObject({
      message: "Invalid parameter batch: each event must be an object",
    });
    expect(batch([{ name: "e", data: "d" }])).toMatchObject({ message: "Missing parameter: channel" });
    expect(batch([{ ...one, channel: null }])).toMatchObject({ reason: "channelNameInvalid" });
    expect(batch([{ name: "e", data: "d", channels: ["a"] }])).toMatchObject({
      message: "Missing parameter: channel",
    });
  });

  test("holds at most ten events", () => {
    expect(batch(Array.from({ length: 10 }, () => one))).toHaveLength(10);
    expect(batch(Array.from({ length: 11 }, () => one))).toMatchObject({
      reason: "apiTooManyEvents",
      status: 400,
      measured: { limit: 10, actual: 11 },
    });
  });

  test("is a list in an object", () => {
    for (const body of [undefined, null, [], "x"]) {
      expect(parseBatch(body, DEFAULT_LIMITS)).toMatchObject({ reason: "apiBodyInvalid" });
    }
    expect(parseBatch({}, DEFAULT_LIMITS)).toMatchObject({ message: "Missing parameter: batch" });
    for (const value of [null, {}, "x", 7])
      expect(batch(value)).toMatchObject({ reason: "apiParameterInvalid" });
  });
});

describe("the publish call of 2012", () => {
  test("has its name in the query and its data as body", () => {
    const query = new Query("name=e&socket_id=1.2");
    expect(parseLegacyTrigger("news", query, "raw, not json", DEFAULT_LIMITS)).toMatchObject({
      name: "e",
      data: "raw, not json",
      channels: [{ name: "news" }],
      exceptSocketId: "1.2",
    });
    expect(parseLegacyTrigger("news", NO_QUERY, "d", DEFAULT_LIMITS)).toMatchObject({
      message: "Missing parameter: name",
    });
    expect(parseLegacyTrigger("a b", query, "d", DEFAULT_LIMITS)).toMatchObject({
      reason: "channelNameInvalid",
    });
  });
});

describe("the list of channels", () => {
  const read = (raw: string) => parseChannelsQuery(new Query(raw));

  test("takes a prefix, and user_count for presence channels only", () => {
    expect(read("")).toMatchObject({ prefix: "", info: { userCount: false } });
    expect(read("filter_by_prefix=presence-&info=user_count")).toMatchObject({
      prefix: "presence-",
      info: { userCount: true },
    });
    for (const raw of [
      "info=user_count",
      "info=user_count&filter_by_prefix=presence",
      "info=user_count&filter_by_prefix=x",
    ]) {
      expect(read(raw)).toMatchObject({
        status: 400,
        message:
          "user_count may only be requested for presence channels - please supply filter_by_prefix beginning with presence-",
      });
    }
  });

  test("knows no other attribute", () => {
    expect(read("info=subscription_count")).toMatchObject({ reason: "apiParameterInvalid", status: 400 });
    expect(read("info=user_count,nothing&filter_by_prefix=presence-")).toMatchObject({
      reason: "apiParameterInvalid",
    });
  });
});

describe("the state of one channel", () => {
  const read = (channel: string, info: string, countsSubscriptions = true) =>
    parseChannelQuery(channelKind(channel), new Query(`info=${info}`), { id: "4711", countsSubscriptions });

  test("has the attributes that fit the channel", () => {
    expect(read("presence-x", "user_count")).toMatchObject({ userCount: true });
    expect(read("news", "subscription_count")).toMatchObject({ subscriptionCount: true });
    expect(read("cache-x", "subscription_count,cache")).toMatchObject({
      subscriptionCount: true,
      cache: true,
    });
    expect(read("presence-cache-x", "user_count,cache")).toMatchObject({ userCount: true, cache: true });
  });

  test("is refused with an attribute that does not fit", () => {
    expect(read("news", "user_count")).toMatchObject({
      status: 400,
      message: "Cannot retrieve the user count unless the channel is a presence channel",
    });
    expect(read("presence-x", "subscription_count")).toMatchObject({
      reason: "apiSubscriptionCountPresence",
    });
    expect(read("news", "subscription_count", false)).toMatchObject({
      reason: "apiSubscriptionCountDisabled",
    });
    expect(read("my-cache-x", "cache")).toMatchObject({ reason: "apiCacheNeedsCacheChannel" });
    expect(read("news", "__proto__")).toMatchObject({ reason: "apiParameterInvalid" });
  });
});

describe("any body", () => {
  const value = fc.jsonValue({ noUnicodeString: false });
  const body = fc.record(
    {
      name: value,
      data: value,
      channel: value,
      channels: value,
      socket_id: value,
      info: value,
      batch: value,
    },
    { requiredKeys: [] },
  );

  test("gives a publish or a refusal with a 4xx status, and never a throw", () => {
    fc.assert(
      fc.property(fc.oneof(value, body), fc.string(), (given, raw) => {
        for (const parsed of [parse(given, new Query(raw)), parseBatch(given, DEFAULT_LIMITS)]) {
          if (!(parsed instanceof ProtocolError)) continue;
          expect(parsed.status).toBeGreaterThanOrEqual(400);
          expect(parsed.status).toBeLessThan(500);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("that is a publish keeps its strings", () => {
    const text = fc.string({ unit: "binary", minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(text, text, (name, data) => {
        const parsed = parseWith({ name: `n${name}`.slice(0, 200), data });
        expect(parsed).toMatchObject({ name: `n${name}`.slice(0, 200), data });
      }),
    );
  });
});
