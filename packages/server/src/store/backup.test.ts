import { Database as SqliteFile } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backUp } from "./backup.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-backup-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A database that somebody has open, with a row that is in its write-ahead log only. */
function open(file: string): SqliteFile {
  const database = new SqliteFile(join(folder, file));
  database.run("PRAGMA journal_mode = WAL");
  database.run("CREATE TABLE t (n INTEGER)");
  database.run("INSERT INTO t VALUES (7)");
  return database;
}

test("copies each database whole while it is open, for this user alone", () => {
  const open1 = open("outbox.db");
  const open2 = open("earshot.db");
  const target = join(folder, "copy");
  expect(backUp(folder, target)).toEqual(["outbox.db", "earshot.db"]);
  expect(readdirSync(target).sort()).toEqual(["earshot.db", "outbox.db"]);
  const copy = new SqliteFile(join(target, "outbox.db"));
  expect(copy.query("SELECT n FROM t").all()).toEqual([{ n: 7 }]);
  expect(statSync(join(target, "outbox.db")).mode & 0o777).toBe(0o600);
  for (const database of [copy, open1, open2]) database.close();
});

test("does not wait for a writer, and holds up none", () => {
  const writer = open("outbox.db");
  writer.run("BEGIN IMMEDIATE");
  writer.run("INSERT INTO t VALUES (8)");
  const target = join(folder, "copy");
  backUp(folder, target);
  writer.run("COMMIT");
  const copy = new SqliteFile(join(target, "outbox.db"));
  expect(copy.query("SELECT n FROM t").all()).toEqual([{ n: 7 }]);
  copy.close();
  writer.close();
});

test("says in one line what is in the way", () => {
  expect(() => backUp(folder, join(folder, "copy"))).toThrow("There is no Earshot data in");
  open("outbox.db").close();
  writeFileSync(join(folder, "file"), "");
  expect(() => backUp(folder, folder)).toThrow("is not empty: name a folder that is new or empty");
  expect(() => backUp(folder, join(folder, "file", "copy"))).toThrow("failed");
});

test("leaves nothing behind when one of the files cannot be copied", () => {
  open("deliveries.db").close();
  writeFileSync(join(folder, "outbox.db"), "this is no database");
  const target = join(folder, "copy");
  expect(() => backUp(folder, target)).toThrow("failed");
  expect(readdirSync(target)).toEqual([]);
});
