/** Section A of the client checklist: connecting. @see docs/protocol/checklist.md */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { ERRORS } from "@earshot/protocol/errors";
import { type Earshot, startEarshot } from "../../support/earshot.ts";
import { connected, disconnectPushers, heard, makePusher, once } from "../../support/pusher-client.ts";
import { connectRaw, dataOf, QUERY, type RawOptions } from "../../support/raw-client.ts";
import { connectTcp } from "../../support/tcp-client.ts";

let earshot: Earshot;

beforeAll(async () => {
  earshot = await startEarshot({ args: ["--prefix", "/realtime", "--prefix", "/deep/er"] });
});
afterEach(disconnectPushers);
afterAll(async () => {
  expect(await earshot.stop()).toBe(0);
});

const NOBODY = "0000000000000000dead";

/** What each official client puts behind `/app/KEY`. */
const CLIENT_QUERIES = {
  "pusher-js": "protocol=7&client=js&version=8.6.0&flash=false",
  swift: "client=pusher-websocket-swift&version=10.1.10&protocol=7",
  libPusher: "client=libPusher&protocol=6&version=1.6.4",
  java: "client=java-client&protocol=5&version=2.4.4",
  "java, unreleased": "client=java-client&protocol=5&version=0.0.0-dev",
  dotnet: "protocol=5&client=pusher-dotnet-client&version=2.3.0",
};

test("A1: the query of every official client is accepted", async () => {
  for (const [client, query] of Object.entries(CLIENT_QUERIES)) {
    const raw = await connectRaw(earshot, { query });
    expect([client, raw.frames[0]?.event]).toEqual([client, "pusher:connection_established"]);
    raw.close();
  }
});

test("A1: any order of the query and unknown, empty or repeated parameters are accepted", async () => {
  const known = ["protocol=7", "client=js", "version=8.6.0", "flash=false"];
  const orders = permutations(known).map((order) => order.join("&"));
  const strange = [
    "x=1&protocol=7&y",
    "&&protocol=7&",
    "protocol=7&=&client",
    "protocol=7&client=%zz&version=%",
    "protocol=7&protocol=9",
    "PROTOCOL=7",
  ];
  for (const query of [...orders, ...strange]) {
    const raw = await connectRaw(earshot, { query });
    expect([query, raw.frames[0]?.event]).toEqual([query, "pusher:connection_established"]);
    raw.close();
  }
});

test("A2: protocol 4, 5, 6 and 7 are accepted, with the same first frame", async () => {
  for (const version of [4, 5, 6, 7]) {
    const raw = await connectRaw(earshot, { query: `protocol=${version}&client=test` });
    expect(raw.frames[0]?.raw).toBe(
      `{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"${raw.socketId}\\",\\"activity_timeout\\":120}"}`,
    );
    raw.close();
  }
});

test("A2: other protocol versions get 4007, a missing one 4008", async () => {
  for (const version of ["0", "1", "3", "8", "99999", "7.0", "-7", "+7", "seven", "7x", "%zz"]) {
    const raw = await connectRaw(earshot, { query: `protocol=${version}` });
    expect([version, raw.frames[0]?.data]).toEqual([version, expect.objectContaining({ code: 4007 })]);
    expect((await raw.closed).code).toBe(4007);
  }
  for (const query of ["", "protocol=", "client=js&version=8.6.0"]) {
    const raw = await connectRaw(earshot, { query });
    expect([query, raw.frames[0]?.data]).toEqual([query, expect.objectContaining({ code: 4008 })]);
    expect((await raw.closed).code).toBe(4008);
  }
});

test("A3: configured prefixes are served beside the bare path, with pusher-js's wsPath too", async () => {
  for (const prefix of ["", "/realtime", "/deep/er"]) {
    const raw = await connectRaw(earshot, { path: `${prefix}/app/${earshot.app.key}` });
    expect([prefix, raw.frames[0]?.event]).toEqual([prefix, "pusher:connection_established"]);
    raw.close();
  }
  const client = makePusher(earshot, { wsPath: "/realtime" });
  await connected(client);
});

test("A3: any other path is told 4005 inside the opened WebSocket", async () => {
  const { key } = earshot.app;
  const paths = ["/", "/app", "/app/", `/app/${key}/more`, `/other/app/${key}`, `/realtimes/app/${key}`];
  for (const path of [...paths, `/realtime/realtime/app/${key}`, `/realtime${key}`]) {
    const raw = await connectRaw(earshot, { path });
    expect([path, raw.frames[0]?.data]).toEqual([path, expect.objectContaining({ code: 4005 })]);
    expect((await raw.closed).code).toBe(4005);
  }
});

test("A4: an unknown key is told 4001 inside an opened WebSocket, then closed with 4001", async () => {
  for (const query of Object.values(CLIENT_QUERIES)) {
    const tcp = await connectTcp(earshot, { key: NOBODY, query });
    expect(tcp.handshake).toStartWith("HTTP/1.1 101 ");
    const { code, reason } = await tcp.closed;
    expect(tcp.frames.map(({ event }) => event)).toEqual(["pusher:error", "(close)"]);
    const message = `App key ${NOBODY} not in this cluster. Did you forget to specify the cluster?`;
    expect(tcp.frames[0]?.data).toMatchObject({ code: 4001, message });
    expect({ code, reason }).toEqual({ code: 4001, reason: message });
    tcp.destroy();
  }
});

test("A4: a key that only differs in case, or is written with escapes that fail, is unknown too", async () => {
  for (const key of [earshot.app.key.toUpperCase(), `${earshot.app.key}%`, "%00", "%ff", "-"]) {
    const raw = await connectRaw(earshot, { key });
    expect([key, [4001, 4005]]).toEqual([key, expect.arrayContaining([codeOf(raw.frames[0]?.data)])]);
    expect((await raw.closed).code).toBe(codeOf(raw.frames[0]?.data));
  }
});

test("A4: pusher-js with an unknown key reports one error and stays disconnected", async () => {
  const client = makePusher({ ...earshot, app: { ...earshot.app, key: NOBODY } });
  const errors = heard(client.connection, "error");
  const states = heard(client.connection, "state_change");
  const retries = heard(client.connection, "connecting_in");
  await once(client.connection, "disconnected");
  expect(errors).toEqual([
    {
      type: "WebSocketError",
      error: {
        type: "PusherError",
        data: {
          code: 4001,
          message: `App key ${NOBODY} not in this cluster. Did you forget to specify the cluster?`,
        },
      },
    },
  ]);
  expect(states).toEqual([{ previous: "connecting", current: "disconnected" }]);
  expect(retries).toEqual([]);
});

test("A5: connection_established is the first frame, however early and busily others and the client speak", async () => {
  const talker = await connectRaw(earshot);
  const channels = Array.from({ length: 20 }, (_, at) => `room-${at}`);
  const early = [
    '{"event":"pusher:ping","data":{}}',
    "not json",
    ...channels.map((channel) => JSON.stringify({ event: "pusher:subscribe", data: { channel } })),
  ];
  await Promise.all(channels.map((channel) => talker.subscribe(channel)));
  const clients = await Promise.all(Array.from({ length: 25 }, () => connectTcp(earshot, { early })));
  for (const tcp of clients) {
    await tcp.next(({ channel }) => channel === channels.at(-1));
    const [first, second, third] = tcp.frames;
    expect(first?.event).toBe("pusher:connection_established");
    expect(second?.event).toBe("pusher:pong");
    expect(third?.data).toMatchObject({ code: null, message: "Received invalid JSON" });
    tcp.destroy();
  }
  talker.close();
});

test("A5: pusher-js connects", async () => {
  const client = makePusher(earshot);
  await connected(client);
  expect(client.connection.socket_id).toMatch(/^\d+\.\d+$/);
});

test("A6: its data is a string with socket_id, a string, and activity_timeout, whole seconds above 0", async () => {
  const raw = await connectRaw(earshot);
  const [first] = raw.frames;
  if (first === undefined) throw new Error("no frame");
  expect(typeof first.data).toBe("string");
  expect(dataOf(first)).toEqual({ socket_id: expect.any(String), activity_timeout: 120 });
  raw.close();
});

test("A6: activity_timeout is the server's setting, and pusher-js takes it over", async () => {
  const quick = await startEarshot({ args: ["--socket-activity-timeout-seconds", "17"] });
  const raw = await connectRaw(quick);
  expect(raw.frames[0]?.raw).toEndWith(',\\"activity_timeout\\":17}"}');
  const client = makePusher(quick);
  await connected(client);
  expect(client.connection.activityTimeout).toBe(17_000);
  raw.close();
  await quick.stop();
});

test("A7: it arrives well within two seconds, also for two hundred that connect at once", async () => {
  const startMs = performance.now();
  const clients = await Promise.all(Array.from({ length: 200 }, () => connectRaw(earshot)));
  expect(performance.now() - startMs).toBeLessThan(2_000);
  for (const raw of clients) raw.close();
});

test("A8: socket ids are two decimal numbers with a dot, and no two are alike", async () => {
  const clients = await Promise.all(Array.from({ length: 200 }, () => connectRaw(earshot)));
  const ids = clients.map(({ socketId }) => socketId);
  for (const id of ids) expect(id).toMatch(/^\d+\.\d+$/);
  expect(new Set(ids).size).toBe(ids.length);
  for (const raw of clients) raw.close();
});

test("A8: a server that was started again does not give out the ids of before", async () => {
  const before = await Promise.all(Array.from({ length: 50 }, () => connectRaw(earshot)));
  await earshot.restart();
  const after = await Promise.all(Array.from({ length: 50 }, () => connectRaw(earshot)));
  const ids = new Set([...before, ...after].map(({ socketId }) => socketId));
  expect(ids.size).toBe(100);
  for (const raw of after) raw.close();
});

test("A9: a refusal before the handshake always has a number for its code, and the close frame the same", async () => {
  const refusals: RawOptions[] = [
    { key: NOBODY },
    { path: "/elsewhere" },
    { query: "" },
    { query: "protocol=3" },
    { query: `${QUERY}&protocol=`, path: "/app/" },
  ];
  for (const options of refusals) await expectNumericRefusal(options);
  const app = async (...change: string[]) => {
    await earshot.updateApp(...change);
    return await expectNumericRefusal({ headers: { Origin: "https://elsewhere.example.com" } });
  };
  expect(await app("--enabled", "false")).toBe(4003);
  expect(await app("--enabled", "true", "--tls-only", "true")).toBe(4000);
  expect(await app("--tls-only", "false", "--allowed-origin", "https://shop.example.com")).toBe(4009);
  await earshot.updateApp("--allowed-origin", "", "--max-connections", "1");
  const only = await connectRaw(earshot);
  expect(only.socketId).not.toBe("");
  expect(await expectNumericRefusal({})).toBe(4004);
  only.close();
  await earshot.updateApp("--max-connections", "default");
  const another = await connectRaw(earshot);
  expect(another.socketId).not.toBe("");
  another.close();
});

test("A9: no refusal that closes a connection is without a number in the table of errors", () => {
  const fatal = Object.entries(ERRORS).filter(([, { code }]) => code !== null && code < 4300);
  for (const [name, { code }] of fatal) expect([name, code]).toEqual([name, expect.any(Number)]);
  expect(fatal.length).toBeGreaterThan(8);
});

test("A10: binary frames and invalid JSON are answered with an error, and the connection lives", async () => {
  const raw = await connectRaw(earshot);
  const bad: (string | Uint8Array)[] = [
    Uint8Array.of(0, 1, 2, 255),
    new Uint8Array(0),
    new TextEncoder().encode('{"event":"pusher:ping"}'),
    new Uint8Array(200_000),
    "",
    "{",
    "\u0000",
    '{"event":"pusher:ping"',
    "[".repeat(50_000),
    "null",
    "1",
    '"pusher:ping"',
    "[]",
    "{}",
    '{"event":1}',
    '{"event":null,"data":{}}',
  ];
  for (const message of bad) {
    raw.send(message);
    const error = await raw.next("pusher:error");
    expect(error.data).toMatchObject({ code: null, message: expect.any(String) });
    expect(error.raw).not.toContain('"channel"');
  }
  await raw.settled();
  expect(raw.frames.filter(({ event }) => event === "pusher:error")).toHaveLength(bad.length);
  raw.close();
});

async function expectNumericRefusal(options: RawOptions): Promise<number> {
  const raw = await connectRaw(earshot, options);
  expect(raw.frames[0]?.event).toBe("pusher:error");
  const code = codeOf(raw.frames[0]?.data);
  expect(Number.isInteger(code)).toBe(true);
  expect((await raw.closed).code).toBe(code);
  expect(raw.frames).toHaveLength(1);
  return code;
}

function codeOf(data: unknown): number {
  return typeof data === "object" && data !== null && "code" in data ? Number(data.code) : Number.NaN;
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, at) =>
    permutations(items.filter((_, other) => other !== at)).map((rest) => [item, ...rest]),
  );
}
