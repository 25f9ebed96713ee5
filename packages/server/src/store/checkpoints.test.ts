import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Checkpoints } from "./checkpoints.ts";

let folder = "";
let nowMs = 0;
let problems: string[];
let checkpoints: Checkpoints;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-checkpoints-"));
  nowMs = 0;
  problems = [];
  checkpoints = new Checkpoints({ monotonicMs: () => nowMs }, (problem) => problems.push(problem));
});

afterEach(async () => {
  await checkpoints.close();
  rmSync(folder, { recursive: true, force: true });
});

function written(name: string): { file: string; log: () => { log: number; checkpointed: number } } {
  const file = join(folder, name);
  const db = new Database(file);
  db.run("PRAGMA journal_mode = WAL");
  db.run("CREATE TABLE t (a)");
  const progress = () => db.query("PRAGMA wal_checkpoint(NOOP)").get();
  return { file, log: () => progress() as { log: number; checkpointed: number } };
}

test("writing may go on at once until it is time, and is held until the checkpoint is made when it is", async () => {
  const { file, log } = written("a.db");
  const checkpoint = checkpoints.of(file);
  const order: string[] = [];
  checkpoint.make(() => order.push("not yet due"));
  expect(order).toEqual(["not yet due"]);
  nowMs += 2_000;
  const made = new Promise<void>((resolve) => checkpoint.make(resolve)).then(() => order.push("made"));
  expect(log()).toMatchObject({ checkpointed: 0 });
  await made;
  expect(log().checkpointed).toBe(log().log);
  checkpoint.make(() => order.push("just made"));
  expect(order).toEqual(["not yet due", "made", "just made"]);
  expect(problems).toEqual([]);
});

test("a file that cannot be checkpointed is told, and writing goes on", async () => {
  const file = join(folder, "none.db");
  writeFileSync(file, "this is no database, and long enough that SQLite sees it is none".repeat(20));
  const checkpoint = checkpoints.of(file);
  nowMs += 2_000;
  await new Promise<void>((resolve) => checkpoint.make(resolve));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toStartWith(`${file}: `);
});

test("closing leaves nobody waiting", async () => {
  const checkpoint = checkpoints.of(written("a.db").file);
  nowMs += 2_000;
  let isDone = false;
  checkpoint.make(() => {
    isDone = true;
  });
  await checkpoints.close();
  expect(isDone).toBe(true);
  checkpoint.make(() => problems.push("called again, at once"));
  expect(problems).toHaveLength(1);
});
