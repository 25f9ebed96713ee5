import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskThread } from "./disk-thread.ts";

let folder = "";
let nowMs = 0;
let problems: string[];
let disk: DiskThread | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-disk-"));
  nowMs = 0;
  problems = [];
});

afterEach(async () => {
  await disk?.close();
  rmSync(folder, { recursive: true, force: true });
});

function diskOf(file: string): DiskThread {
  disk = new DiskThread(file, { monotonicMs: () => nowMs }, (problem) => problems.push(problem));
  return disk;
}

function written(file: string) {
  const db = new Database(file);
  db.run("PRAGMA journal_mode = WAL");
  db.run("CREATE TABLE t (a)");
  const log = () => db.query("PRAGMA wal_checkpoint(NOOP)").get() as { log: number; checkpointed: number };
  return { log, close: () => db.close() };
}

const flushed = (of: DiskThread) => new Promise((resolve) => of.flush(resolve));
const checkpointed = (of: DiskThread) => new Promise<void>((resolve) => of.checkpoint(resolve));

test("a flush comes back when the disk has it", async () => {
  const file = join(folder, "a.db");
  const db = written(file);
  const own = diskOf(file);
  expect(await Promise.all([flushed(own), flushed(own)])).toEqual([undefined, undefined]);
  own.flushNow();
  db.close();
});

test("a flush says why it is not known that the disk has it", async () => {
  const own = diskOf(join(folder, "missing.db"));
  expect(await flushed(own)).toContain("missing.db-wal");
  expect(() => own.flushNow()).toThrow("ENOENT");
});

test("a checkpoint is made when it is time, and writing waits for it only then", async () => {
  const file = join(folder, "a.db");
  const { log, close } = written(file);
  const own = diskOf(file);
  const order: string[] = [];
  own.checkpoint(() => order.push("not yet due"));
  expect(order).toEqual(["not yet due"]);
  nowMs += 2_000;
  const made = checkpointed(own).then(() => order.push("made"));
  expect(log()).toMatchObject({ checkpointed: 0 });
  await made;
  expect(log().checkpointed).toBe(log().log);
  own.checkpoint(() => order.push("just made"));
  expect(order).toEqual(["not yet due", "made", "just made"]);
  expect(problems).toEqual([]);
  close();
});

test("a checkpoint that cannot be made is told, and writing goes on", async () => {
  const file = join(folder, "none.db");
  writeFileSync(file, "this is no database, and long enough that SQLite sees it is none".repeat(20));
  const own = diskOf(file);
  nowMs += 2_000;
  await checkpointed(own);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain("not a database");
});

test("closing leaves nobody waiting, and the log to who closes the file last", async () => {
  const file = join(folder, "a.db");
  const db = written(file);
  const own = diskOf(file);
  nowMs += 2_000;
  await checkpointed(own);
  const waiting = [flushed(own), checkpointed(own)];
  await own.close();
  await Promise.all(waiting);
  expect(await flushed(own)).toBeUndefined();
  await checkpointed(own);
  await own.close();
  db.close();
  expect(existsSync(`${file}-wal`)).toBe(false);
});
