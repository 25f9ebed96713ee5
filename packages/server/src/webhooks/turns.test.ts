import { expect, test } from "bun:test";
import { Turns } from "./turns.ts";

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("does one piece of work a turn, in order, and what work adds comes last", async () => {
  const turns = new Turns();
  const done: number[] = [];
  turns.add(() => {
    done.push(1);
    turns.add(() => done.push(3));
  });
  turns.add(() => done.push(2));
  expect(done).toEqual([]);
  for (const sofar of [[1], [1, 2], [1, 2, 3], [1, 2, 3]]) {
    await nextTurn();
    expect(done).toEqual(sofar);
  }
  turns.add(() => done.push(4));
  await nextTurn();
  expect(done).toEqual([1, 2, 3, 4]);
});
