import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { useFolders } from "../testing/folders.ts";
import { run } from "../testing/person.ts";
import { linesOf } from "./report.ts";
import { SECTIONS } from "./sections.ts";
import { type FakeServer, startFake, textFrame, upgradeAnswer, WELCOME } from "./testing/fake-server.ts";

const newFolder = useFolders();
let server: FakeServer;

/** Good enough for the first lines of the checklist. */
beforeAll(async () => {
  server = await startFake((socket, text) => {
    if (text.startsWith("GET "))
      socket.write(Buffer.concat([Buffer.from(upgradeAnswer(text)), textFrame(WELCOME)]));
  });
});
afterAll(() => server.crash());

function conformance(...args: string[]) {
  return run(["conformance", "--url", server.target.url.href, "--app", "7:key:secret", ...args]);
}

test("each check is a line, grouped, with totals at the end; exit code 0 where none failed", async () => {
  const { code, out, err } = await conformance("--only", "3,6,7");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out.split("\n")).toEqual([
    "A. Connecting",
    "    3  skip  the same is served under a path prefix (wsPath)",
    "             why: needs a server that is mounted under a path as well: name the path with --prefix /x",
    "    6  pass  its data is a string with socket_id (string) and activity_timeout (integer above 0)",
    "    7  pass  it arrives in well under 2 s",
    "",
    "2 passed, 0 failed, 1 skipped",
  ]);
});

test("the exit code is 1 where a check failed, with what was seen", async () => {
  const { code, out } = await conformance("--only", "8");
  expect(code).toBe(1);
  expect(out).toContain("    8  fail  socket_id is two decimal numbers with a dot, and new each time\n");
  expect(out).toContain("             seen: the number of different ids of 20 is 1 where 20 was awaited\n");
});

test("--json writes all of it to a file", async () => {
  const file = `${newFolder()}/results.json`;
  expect((await conformance("--only", "3,6,8", "--json", file)).code).toBe(1);
  const written: unknown = JSON.parse(readFileSync(file, "utf8"));
  expect(written).toMatchObject({
    url: server.target.url.href,
    startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    totals: { passed: 1, failed: 1, skipped: 1 },
    checks: [
      { number: 3, section: "A", outcome: "skip", seen: expect.stringContaining("--prefix") },
      { number: 6, section: "A", outcome: "pass", seen: "" },
      { number: 8, section: "A", outcome: "fail", what: expect.any(String) },
    ],
  });
  expect((await conformance("--only", "6", "--json", `${file}/x`)).code).toBe(2);
});

test("wrong usage and a server that is not there are exit code 2, in one line", async () => {
  const wrong = [
    ["--only", "Z"],
    ["--only", "0"],
    ["--prefix", "realtime"],
    ["--stop-pid", "all"],
    ["--other-node", "ws://127.0.0.1"],
    ["--webhook-listen", "9001"],
    ["--webhook-listen", "127.0.0.1:99999"],
    ["--webhook-listen", server.target.url.host],
    ["--webhook-listen", "127.0.0.1:0", "--webhook-delay-ms", "3s"],
    ["--webhook-listen", "127.0.0.1:0", "--second-app", "8:key"],
    ["--second-app", "8:key:secret"],
    ["--onyl", "A"],
    ["word"],
  ];
  for (const args of wrong) {
    const { code, out, err } = await conformance(...args);
    expect([args, code, out, err.split("\n").length]).toEqual([args, 2, "", 1]);
  }
  for (const url of ["http://127.0.0.1:1", "ws://127.0.0.1:1", "nonsense"]) {
    const { code, out, err } = await run(["conformance", "--url", url, "--app", "7:key:secret"]);
    expect([url, code, out, err.split("\n").length]).toEqual([url, 2, "", 1]);
  }
  expect((await run(["conformance", "--url", server.target.url.href, "--app", "7:key"])).code).toBe(2);
});

test("checks of webhooks say what they need, and fail where none comes to an address that was named", async () => {
  const without = await conformance("--only", "100");
  expect(without.code).toBe(0);
  expect(without.out).toContain("  100  skip  Content-Type is exactly application/json\n");
  expect(without.out).toContain("--webhook-listen HOST:PORT");
  const silent = await conformance("--only", "100", "--webhook-listen", "127.0.0.1:0");
  expect(silent.code).toBe(1);
  expect(silent.out).toContain("  100  fail  ");
});

test("outcomes are coloured where somebody looks", () => {
  const result = { number: 33, section: "E", what: "works", outcome: "fail", seen: "nothing" } as const;
  expect(linesOf(result, undefined, SECTIONS, true)).toEqual([
    "E. Subscribing",
    "   33  \u001b[31mfail\u001b[0m  works",
    "             seen: nothing",
  ]);
  expect(linesOf(result, result, SECTIONS, false)[0]).toBe("   33  fail  works");
});
