import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Earshot, startEarshot } from "../../../../test/support/earshot.ts";
import { until } from "../../../../test/support/until.ts";
import { tail } from "./tail.ts";
import { useFolders } from "./testing/folders.ts";
import { Person, run } from "./testing/person.ts";

const newFolder = useFolders();
let server: Earshot;
beforeAll(async () => {
  server = await startEarshot({ dataDir: newFolder(), args: ["--prefix", "/realtime"] });
});
afterAll(() => server.stop());

const TIMES = { silenceMs: 10_000, firstWaitMs: 10 };
const ODD = `it's "quoted" \\ $HOME \`id\` ; äöü 👋 \u2028 !`;

/** Listens while `work` goes on, and returns once `count` lines are there. */
async function tailed(args: readonly string[], count: number, work: () => Promise<unknown>): Promise<Person> {
  const person = new Person();
  const stop = new AbortController();
  const tailing = tail([...args, "--data", server.dataDir], person, stop.signal, TIMES);
  try {
    // Nothing says that the tap is open, so a channel of its own is tried until something comes through.
    await until("the tap is open", async () => {
      await run(["trigger", "tap-is-open", "now", "{}", "--data", server.dataDir]);
      return person.outLines.length > 0;
    });
    await work();
    await until("the events are shown", () => shown(person).length >= count);
  } finally {
    stop.abort();
  }
  expect(await tailing).toBe(0);
  return person;
}

function shown(person: Person): string[] {
  return person.outLines.filter((line) => !line.includes("tap-is-open"));
}

test("trigger is silent, and tail shows the event with time, channel, name and data", async () => {
  const person = await tailed([], 1, async () => {
    expect(await run(["trigger", "news", "greeting", '{"a":1}', "--data", server.dataDir])).toEqual({
      code: 0,
      out: "",
      err: "",
    });
  });
  expect(shown(person)).toHaveLength(1);
  expect(shown(person)[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} {2}news {2}greeting {2}\{"a":1\}$/);
  expect(person.errLines).toEqual([]);
});

test("server and app can be named, also below a path prefix", async () => {
  const { id, key, secret } = server.app;
  const person = await tailed([], 2, async () => {
    for (const url of [server.url, `${server.url}/realtime/`]) {
      const named = ["--url", url, "--app", `${id}:${key}:${secret}`];
      expect(await run(["trigger", "news", "greeting", "{}", ...named])).toEqual({
        code: 0,
        out: "",
        err: "",
      });
    }
  });
  expect(shown(person)).toHaveLength(2);
});

test.skipIf(Bun.which("curl") === null)(
  "the printed curl command does the same when it is pasted, whatever the data holds",
  async () => {
    const person = await tailed(["--json"], 2, async () => {
      for (const args of [
        ["--data", server.dataDir],
        ["--data", server.dataDir, "--url", `${server.url}/realtime`],
      ]) {
        const { code, out } = await run(["trigger", "news", "odd", ODD, "--print-curl", ...args]);
        expect(code).toBe(0);
        expect(out).not.toContain(server.app.secret);
        const pasted = Bun.spawnSync(["sh", "-c", out]);
        expect(pasted.stdout.toString()).toBe("{}");
      }
    });
    for (const line of shown(person)) {
      expect(JSON.parse(line)).toMatchObject({ channel: "news", event: "odd", data: ODD });
    }
  },
);

test("tail shows only the channels that it is given, also one with a comma in its name", async () => {
  const person = await tailed(["a", "b,c", "tap-is-open"], 2, async () => {
    for (const channel of ["c", "b", "a", "b,c"])
      await run(["trigger", channel, "e", channel, "--data", server.dataDir]);
  });
  expect(shown(person).map((line) => line.split("  ")[1])).toEqual(["a", "b,c"]);
});

test("names and data of strangers cannot command the terminal", async () => {
  const person = await tailed([], 1, () =>
    run(["trigger", "news", "e", "\u001b[31m\u009b2J\nnext", "--data", server.dataDir]),
  );
  expect(shown(person)[0]).toContain("\\u001b[31m\\u009b2J\\u000anext");
});

test("what the server refuses is told in one line", async () => {
  const { id, key } = server.app;
  const refused = [
    ["trigger", "bad channel", "e", "{}", "--data", server.dataDir],
    ["trigger", "news", "e", "{}", "--socket-id", "x", "--data", server.dataDir],
    ["trigger", "news", "e", "{}", "--url", server.url, "--app", `${id}:${key}:wrong`],
    ["tail", "--url", server.url, "--app", `none:${key}:wrong`],
  ];
  for (const args of refused) {
    const { code, out, err } = await run(args);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(/^The server refused it with 40\d: [^\n]+$/);
  }
});

test("a tail whose server restarts says so, connects again with a fresh signature, and goes on", async () => {
  const person = new Person();
  const stop = new AbortController();
  const tailing = tail(["--data", server.dataDir], person, stop.signal, TIMES);
  const open = async () => {
    const before = person.outLines.length;
    await until("the tap is open", async () => {
      await run(["trigger", "tap-is-open", "now", "{}", "--data", server.dataDir]);
      return person.outLines.length > before;
    });
  };
  await open();
  await server.restart();
  await until("it is connected again", () => person.errLines.length === 2);
  await open();
  expect(person.errLines[0]).toMatch(
    /^The connection to http:\S+ is lost \(.+\); events are missed until it is back\.$/,
  );
  expect(person.errLines[1]).toMatch(/^Connected to http:\S+ again\.$/);
  stop.abort();
  expect(await tailing).toBe(0);
});

test("a server that falls silent counts as lost", async () => {
  let taps = 0;
  using silent = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => {
      taps++;
      return new Response(
        new ReadableStream({ start: (controller) => controller.enqueue(": listening\n\n") }),
      );
    },
  });
  const person = new Person();
  const stop = new AbortController();
  const args = ["--url", silent.url.origin, "--app", "1:2:3"];
  const tailing = tail(args, person, stop.signal, { silenceMs: 30, firstWaitMs: 1 });
  await until("it connects again", () => taps > 1);
  expect(person.errLines[0]).toContain("is lost (no heartbeat)");
  stop.abort();
  expect(await tailing).toBe(0);
});
