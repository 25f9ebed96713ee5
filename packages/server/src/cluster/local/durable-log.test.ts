import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DurableLog } from "./durable-log.ts";

let folder = "";
let file = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-log-"));
  file = join(folder, "some.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function database(): Database {
  const db = new Database(file);
  db.run("PRAGMA journal_mode = WAL");
  db.run("CREATE TABLE t (a)");
  return db;
}

test("comes back when the disk has it", async () => {
  const db = database();
  const log = new DurableLog(file);
  const problem = await new Promise((done) => log.flush(done));
  expect(problem).toBeUndefined();
  log.flushNow();
  log.close();
  db.close();
});

test("says why it is not known to be durable", async () => {
  const log = new DurableLog(file);
  const problem = await new Promise<Error | undefined>((done) => log.flush(done));
  expect(problem?.message).toContain("some.db-wal");
  expect(() => log.flushNow()).toThrow("ENOENT");
});

test("keeps its file open until the disk has answered, also when it is closed meanwhile", () => {
  const db = database();
  const answers: ((problem: Error | null) => void)[] = [];
  const told: unknown[] = [];
  const log = new DurableLog(file, (_fd, done) => answers.push(done));
  log.flush((problem) => told.push(problem));
  log.close();
  answers[0]?.(null);
  expect(told).toEqual([undefined]);
  db.close();
});
