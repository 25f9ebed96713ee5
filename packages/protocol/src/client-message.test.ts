import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseClientMessage } from "./client-message.ts";
import { ProtocolError } from "./errors.ts";

const MAX_BYTES = 81_920;

const parse = (text: string) => parseClientMessage(text, MAX_BYTES);

function reasonOf(text: string): string | undefined {
  const parsed = parse(text);
  return parsed instanceof ProtocolError ? parsed.reason : undefined;
}

describe("ping and pong", () => {
  test("are understood with data and, as java sends them, without", () => {
    expect(parse('{"event":"pusher:ping","data":{}}')).toEqual({ type: "ping" });
    expect(parse('{"event": "pusher:ping"}')).toEqual({ type: "ping" });
    expect(parse('{"event":"pusher:pong","data":{}}')).toEqual({ type: "pong" });
  });
});

describe("subscribe", () => {
  test("carries channel, auth and channel_data, whatever their types", () => {
    expect(parse('{"event":"pusher:subscribe","data":{"channel":"news","auth":""}}')).toEqual({
      type: "subscribe",
      channel: "news",
      auth: "",
      channelData: undefined,
    });
    expect(
      parse(
        '{"event":"pusher:subscribe","data":{"channel":"presence-x","auth":"K:s","channel_data":"{\\"user_id\\":7}"}}',
      ),
    ).toEqual({ type: "subscribe", channel: "presence-x", auth: "K:s", channelData: '{"user_id":7}' });
    expect(
      parse('{"event":"pusher:subscribe","data":{"channel":7,"auth":null,"channel_data":{"user_id":7}}}'),
    ).toEqual({
      type: "subscribe",
      channel: 7,
      auth: null,
      channelData: { user_id: 7 },
    });
  });

  test("may carry its data as text", () => {
    expect(parse('{"event":"pusher:subscribe","data":"{\\"channel\\":\\"news\\"}"}')).toMatchObject({
      channel: "news",
    });
    expect(parse('{"event":"pusher:unsubscribe","data":"{\\"channel\\":\\"news\\"}"}')).toEqual({
      type: "unsubscribe",
      channel: "news",
    });
  });

  test("names no channel where its data is missing or no object", () => {
    for (const data of [
      "",
      ',"data":null',
      ',"data":7',
      ',"data":[]',
      ',"data":"news"',
      ',"data":"["',
      ',"data":"[]"',
    ]) {
      expect(parse(`{"event":"pusher:subscribe"${data}}`)).toEqual({
        type: "subscribe",
        channel: undefined,
        auth: undefined,
        channelData: undefined,
      });
      expect(parse(`{"event":"pusher:unsubscribe"${data}}`)).toEqual({
        type: "unsubscribe",
        channel: undefined,
      });
    }
  });

  test("takes nothing from a prototype", () => {
    expect(parse('{"event":"pusher:subscribe","data":{"__proto__":{"channel":"news"}}}')).toMatchObject({
      channel: undefined,
    });
    expect(reasonOf('{"__proto__":{"event":"pusher:ping"}}')).toBe("frameNotObject");
  });

  test("is read from the last of two equal keys", () => {
    expect(
      parse('{"event":"x","event":"pusher:subscribe","data":{"channel":"a","channel":"b"}}'),
    ).toMatchObject({
      channel: "b",
    });
  });
});

describe("sign-in", () => {
  test("carries auth and user_data, whatever their types", () => {
    expect(
      parse('{"event":"pusher:signin","data":{"auth":"K:s","user_data":"{\\"id\\":\\"u-7\\"}"}}'),
    ).toEqual({ type: "signIn", auth: "K:s", userData: '{"id":"u-7"}' });
    expect(parse('{"event":"pusher:signin","data":{"auth":7,"user_data":{"id":"u-7"}}}')).toEqual({
      type: "signIn",
      auth: 7,
      userData: { id: "u-7" },
    });
  });

  test("may carry its data as text, and nothing at all", () => {
    expect(
      parse(JSON.stringify({ event: "pusher:signin", data: '{"auth":"K:s","user_data":"{}"}' })),
    ).toEqual({ type: "signIn", auth: "K:s", userData: "{}" });
    for (const data of ["", ',"data":null', ',"data":7', ',"data":[]', ',"data":"["']) {
      expect(parse(`{"event":"pusher:signin"${data}}`)).toEqual({
        type: "signIn",
        auth: undefined,
        userData: undefined,
      });
    }
  });
});

describe("client events", () => {
  const dataOf = (json: string) => {
    const parsed = parse(`{"event":"client-x","channel":"private-x"${json}}`);
    return parsed instanceof ProtocolError || parsed.type !== "clientEvent" ? parsed : parsed.data;
  };

  test("carry a string as it is, also one that is no JSON", () => {
    expect(dataOf(',"data":"{\\"on\\": true}"')).toBe('{"on": true}');
    expect(dataOf(',"data":"not json"')).toBe("not json");
    expect(dataOf(',"data":""')).toBe("");
  });

  test("carry every other value encoded once", () => {
    expect(dataOf(',"data":{"on":true}')).toBe('{"on":true}');
    expect(dataOf(',"data":[1, 2]')).toBe("[1,2]");
    expect(dataOf(',"data":7')).toBe("7");
    expect(dataOf(',"data":null')).toBe("null");
    expect(dataOf(',"data":false')).toBe("false");
  });

  test("carry {} where the client sent nothing, because every frame needs data", () => {
    expect(dataOf("")).toBe("{}");
  });

  test("lose what the client added", () => {
    expect(
      parse(
        '{"event":"client-x","channel":"presence-x","data":"d","user_id":"forged","userId":"forged","x":1}',
      ),
    ).toEqual({ type: "clientEvent", event: "client-x", channel: "presence-x", data: "d" });
  });

  test("need a channel", () => {
    for (const channel of ["", ',"channel":null', ',"channel":7', ',"channel":["private-x"]']) {
      expect(reasonOf(`{"event":"client-x"${channel},"data":{}}`)).toBe("clientEventInvalid");
    }
  });

  test("start with client-, anchored, case counts", () => {
    for (const event of [
      "xclient-y",
      "Client-x",
      "client",
      "client_x",
      "pusher:x",
      "pusher_internal:member_added",
      "",
    ]) {
      const frame = JSON.stringify({ event, channel: "private-x", data: {} });
      expect(parse(frame)).toMatchObject({
        reason: "eventUnsupported",
        message: `Unsupported event received on socket:'${event}'`,
      });
    }
    expect(reasonOf('{"event":"client-","channel":"private-x"}')).toBeUndefined();
  });
});

describe("a frame that is no message", () => {
  test("is not JSON", () => {
    for (const text of [
      "",
      " ",
      "{",
      "x",
      '{"event":}',
      "{'event':'pusher:ping'}",
      '{"event":"pusher:ping"}}',
      "\u0000",
    ]) {
      expect(reasonOf(text)).toBe("frameInvalidJson");
    }
  });

  test("is no object, or has no event that is a string", () => {
    for (const text of [
      "null",
      "7",
      '"pusher:ping"',
      "[]",
      '[{"event":"pusher:ping"}]',
      "{}",
      '{"event":7}',
      '{"event":null}',
    ]) {
      expect(reasonOf(text)).toBe("frameNotObject");
    }
  });

  test("is too large, in bytes", () => {
    const frame = (data: string) => `{"event":"client-x","channel":"private-x","data":"${data}"}`;
    const room = MAX_BYTES - Buffer.byteLength(frame(""));
    expect(reasonOf(frame("x".repeat(room)))).toBeUndefined();
    expect(parse(frame("x".repeat(room + 1)))).toMatchObject({
      reason: "frameTooLarge",
      measured: { limit: MAX_BYTES, actual: MAX_BYTES + 1 },
    });
    expect(reasonOf(frame("ä".repeat(room / 2 + 1)))).toBe("frameTooLarge");
  });
});

describe("a deeply nested frame", () => {
  const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

  test("is refused where it would be written again", () => {
    expect(reasonOf(`{"event":"client-x","channel":"private-x","data":${deep(600)}}`)).toBe(
      "frameInvalidJson",
    );
    expect(reasonOf(`{"event":"client-x","channel":"private-x","data":${deep(500)}}`)).toBeUndefined();
  });

  test("costs no more than any other frame of its size", () => {
    const frames = ["client-x", "pusher:subscribe", "pusher:ping", "x"].map(
      (event) => `{"event":"${event}","channel":"private-x","data":${deep(39_000)}}`,
    );
    for (let round = 0; round < 100; round++) for (const frame of frames) parse(frame);
  });
});

describe("any frame", () => {
  const value = fc.jsonValue();

  test("gives a message or a refusal, and never a throw", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc
        .record({ event: value, channel: value, data: value }, { requiredKeys: [] })
        .map((frame) => JSON.stringify(frame)),
    );
    fc.assert(
      fc.property(text, (frame) => {
        const parsed = parse(frame);
        if (parsed instanceof ProtocolError) expect(parsed.isFatal).toBe(false);
        else expect(["ping", "pong", "subscribe", "unsubscribe", "clientEvent"]).toContain(parsed.type);
      }),
      { numRuns: 1_000 },
    );
  });

  test("that is a client event keeps its data, as a string", () => {
    fc.assert(
      fc.property(value, fc.string({ unit: "binary" }), (data, name) => {
        const frame = JSON.stringify({ event: `client-${name}`, channel: "private-x", data });
        expect(parse(frame)).toEqual({
          type: "clientEvent",
          event: `client-${name}`,
          channel: "private-x",
          data: typeof data === "string" ? data : JSON.stringify(data),
        });
      }),
    );
  });
});
