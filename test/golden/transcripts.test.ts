/** Plays each transcript against a real server and compares byte for byte. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Earshot, startEarshot, TEST_APP } from "../support/earshot.ts";
import { runProgram } from "../support/program.ts";
import { replay } from "./replay.ts";
import { type App, parseTranscript, writeLine } from "./transcript.ts";

const FOLDER = join(import.meta.dir, "transcripts");
const FILES = readdirSync(FOLDER).sort();
const isWriting = process.env["EARSHOT_WRITE_GOLDEN"] === "1";

/** What transcripts say with `app NAME`; without it, the first. */
const APPS = new Map<string, App>([
  ["usual", TEST_APP],
  ["counted", { id: "8", key: "1f1c2e7a4b5d6083c1aa", secret: "counted-secret" }],
  ["quiet", { id: "9", key: "2f1c2e7a4b5d6083c1aa", secret: "quiet-secret" }],
]);

let earshot: Earshot;

beforeAll(async () => {
  earshot = await startEarshot({ apps: [...APPS.values()] });
  await runProgram(["apps", "update", "8", "--subscription-count", "true", "--data", earshot.dataDir]);
  await earshot.updateApp("--client-events", "true", "--watchlist", "true"); // and waits for both changes
});
afterAll(async () => {
  expect(await earshot.stop()).toBe(0);
});

test.each(FILES)("%s goes as it is written", async (file) => {
  const path = join(FOLDER, file);
  const written = readFileSync(path, "utf8");
  const lines = await replay(earshot, APPS, parseTranscript(written));
  const played = `${lines.map(writeLine).join("\n")}\n`;
  if (isWriting) writeFileSync(path, played);
  else expect(played.split("\n")).toEqual(written.split("\n"));
});

test("there are transcripts", () => {
  expect(FILES.length).toBeGreaterThan(20);
});
