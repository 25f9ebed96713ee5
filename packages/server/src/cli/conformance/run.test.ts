import { afterEach, expect, test } from "bun:test";
import type { Check, Section } from "./check.ts";
import { Finding, NotShown } from "./finding.ts";
import { runChecks } from "./run.ts";
import { chooseSections, SECTIONS } from "./sections.ts";
import { type FakeServer, startFake, textFrame, upgradeAnswer, WELCOME } from "./testing/fake-server.ts";

const fakes: FakeServer[] = [];
afterEach(() => {
  for (const fake of fakes.splice(0)) fake.crash();
});

async function fake(behave: Parameters<typeof startFake>[0]): Promise<FakeServer> {
  const server = await startFake(behave);
  fakes.push(server);
  return server;
}

const isUpgrade = (text: string) => text.includes("Upgrade: websocket");

/** Welcomes everybody and says no more. */
const welcoming = () =>
  fake((socket, text) => {
    if (isUpgrade(text)) socket.write(Buffer.concat([Buffer.from(upgradeAnswer(text)), textFrame(WELCOME)]));
  });

function section(...checks: Check[]): Section[] {
  return [{ letter: "A", title: "Of the test", checks }];
}

async function run(sections: readonly Section[], server: FakeServer) {
  const told: number[] = [];
  const results = await runChecks(sections, server.target, { tell: ({ number }) => told.push(number) });
  return { told, results };
}

/** Everything but what waits without the server having a part in it. */
const QUICK = SECTIONS.map((each) => ({
  ...each,
  checks: each.checks.filter(({ number }) => number % 5 === 4).map((check) => ({ ...check, limitMs: 1_000 })),
}));

test("each line of the checklist is there once, in order", () => {
  const numbers = SECTIONS.flatMap(({ checks }) => checks.map(({ number }) => number));
  expect(numbers).toEqual(Array.from({ length: 121 }, (_, at) => at + 1));
  expect(SECTIONS.map(({ letter }) => letter).join("")).toBe("ABCDEFGHIJKLM");
});

test("sections and lines are chosen by letter and number", () => {
  const chosen = chooseSections(["a", " J ", "33"]);
  if ("unknown" in chosen) throw new Error(chosen.unknown);
  expect(chosen.map(({ letter, checks }) => `${letter}${checks.length}`)).toEqual(["A10", "E1", "J19"]);
  expect(chooseSections(["A", "Z"])).toEqual({ unknown: "Z" });
  expect(chooseSections(["122"])).toEqual({ unknown: "122" });
  expect(chooseSections([""])).toEqual({ unknown: "" });
});

test("a check passes, fails with what was seen, is skipped with why, or tells of the unexpected", async () => {
  const server = await welcoming();
  const { results, told } = await run(
    section(
      { number: 1, what: "passes", run: () => Promise.resolve() },
      { number: 2, what: "fails", run: () => Promise.reject(new Finding("something else")) },
      { number: 3, what: "is skipped", run: () => Promise.reject(new NotShown("no second node")) },
      { number: 4, what: "is broken", run: () => Promise.reject(new TypeError("undefined is no object")) },
    ),
    server,
  );
  expect(results.map(({ outcome, seen }) => `${outcome}: ${seen}`)).toEqual([
    "pass: ",
    "fail: something else",
    "skip: no second node",
    "fail: something unexpected: undefined is no object",
  ]);
  expect(told).toEqual([1, 2, 3, 4]);
});

test("a check that does not end is ended by its limit, and its connections are gone", async () => {
  const server = await welcoming();
  let client: { closing: unknown } | undefined;
  const { results } = await run(
    section({
      number: 1,
      what: "hangs",
      limitMs: 50,
      run: async (stage) => {
        client = await stage.connect();
        await new Promise(() => undefined);
      },
    }),
    server,
  );
  expect(results[0]?.seen).toBe("the check was not over within 0.05 s");
  expect(client?.closing).toEqual({ code: 1006, reason: "" });
});

test("against a server that takes connections and says nothing, the first failure is told and the rest is not tried", async () => {
  const { results } = await run(QUICK, await fake(() => undefined));
  expect(results.map(({ outcome }) => outcome)).not.toContain("pass");
  expect(results[0]?.seen).toBe("the upgrade was not answered within 0.1 s; the server no longer answers");
  expect(results[1]?.seen).toBe(`not tried: the server has not answered since check ${results[0]?.number}`);
});

test("a server that crashes amid the checks is told, and the checks go on when it is back", async () => {
  let server = await welcoming();
  const first = server;
  let revived = 0;
  const connects = async (stage: Parameters<Check["run"]>[0]) => {
    await stage.connect();
  };
  const results = await runChecks(
    section(
      { number: 1, what: "connects", run: connects },
      {
        number: 2,
        what: "crashes it",
        run: async (stage) => {
          const client = await stage.connect();
          first.crash();
          await client.settled();
        },
      },
      { number: 3, what: "connects", run: connects },
    ),
    first.target,
    {
      tell: () => undefined,
      revive: async () => {
        revived++;
        server = await welcoming();
        return server.target;
      },
    },
  );
  expect(results.map(({ outcome }) => outcome)).toEqual(["pass", "fail", "pass"]);
  expect(results[1]?.seen).toContain("the server no longer answers, it had to be started again");
  expect(revived).toBe(1);
});

const NONSENSE: Readonly<Record<string, (request: string) => string | Uint8Array>> = {
  "not HTTP": () => "\u0000\u0001 hello\r\n\r\n",
  "half a status line": () => "HTTP/1.1 1",
  "HTTP without an upgrade": () => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
  "chunks without a size": () => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
  "the wrong accept": () => "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: no\r\n\r\n",
  "text that is no JSON": (request) => bytes(request, textFrame("hello")),
  "JSON that is no event": (request) => bytes(request, textFrame("[1]"), textFrame("null"), textFrame("{}")),
  "a welcome without data": (request) =>
    bytes(request, textFrame('{"event":"pusher:connection_established"}')),
  "a welcome whose data is a number": (request) =>
    bytes(request, textFrame('{"event":"pusher:connection_established","data":7}')),
  "errors without end": (request) =>
    bytes(
      request,
      textFrame(WELCOME),
      textFrame('{"event":"pusher:error"}'),
      textFrame('{"event":"pusher:pong"}'),
    ),
  "a masked frame": (request) => bytes(request, Buffer.from([0x81, 0x82, 1, 2, 3, 4, 5, 6])),
  "reserved bits": (request) => bytes(request, Buffer.from([0xf1, 0])),
  "a frame of 2^63 bytes": (request) =>
    bytes(request, Buffer.from([0x81, 127, 127, 255, 255, 255, 0, 0, 0, 0])),
  "a close frame of one byte": (request) => bytes(request, Buffer.from([0x88, 1, 3])),
};

function bytes(request: string, ...frames: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([Buffer.from(upgradeAnswer(request)), ...frames]);
}

test.each(Object.keys(NONSENSE))(
  "a server that answers with %s fails or skips each check, one line each",
  async (name) => {
    const answer = NONSENSE[name];
    const server = await fake((socket, text) => {
      if (/^(GET|POST|OPTIONS) /.test(text)) socket.write(answer?.(text) ?? "");
    });
    const told: unknown[] = [];
    // Each check is run, although nobody can connect.
    const results = await runChecks(QUICK, server.target, {
      tell: (result) => told.push(result),
      revive: () => Promise.resolve(server.target),
    });
    expect(told).toHaveLength(results.length);
    for (const { outcome, seen } of results) {
      expect(seen).not.toMatch(/\n|something unexpected|undefined/);
      if (outcome === "pass") expect(seen).toBe("");
    }
    expect(results.some(({ outcome }) => outcome === "fail")).toBe(true);
  },
  60_000,
);
