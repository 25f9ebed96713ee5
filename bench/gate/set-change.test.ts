import { expect, test } from "bun:test";
import { parseSetChange } from "./set-change.ts";

const KEY = "pusher:channels";

test("reads what a client and what a script adds and removes", () => {
  expect(parseSetChange(`+1700000000.123456 [0 lua] "SADD" "${KEY}" "private-a"`, KEY)).toEqual([
    { atMs: 1_700_000_000_123.456, change: "added", member: "private-a" },
  ]);
  expect(parseSetChange(`+1700000000.5 [0 127.0.0.1:4711] "srem" "${KEY}" "a" "b"`, KEY)).toEqual([
    { atMs: 1_700_000_000_500, change: "removed", member: "a" },
    { atMs: 1_700_000_000_500, change: "removed", member: "b" },
  ]);
});

test("passes over everything else", () => {
  for (const line of [
    "+OK",
    `+1700000000.5 [0 lua] "SISMEMBER" "${KEY}" "private-a"`,
    '+1700000000.5 [0 lua] "SADD" "another" "private-a"',
    `+1700000000.5 [0 127.0.0.1:1] "EVAL" "redis.call('SADD', '${KEY}')" "0"`,
  ]) {
    expect(parseSetChange(line, KEY)).toEqual([]);
  }
});
