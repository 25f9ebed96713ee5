import { expect, test } from "bun:test";
import { Names } from "./names.ts";

function namesOf(resolve: (name: string) => Promise<readonly string[]>) {
  const clock = { nowMs: 0, monotonicMs: () => clock.nowMs };
  const asked: string[] = [];
  const names = new Names({
    resolve: (name) => {
      asked.push(name);
      return resolve(name);
    },
    targets: "any",
    clock,
  });
  return { names, clock, asked };
}

test("requests that come together share a lookup, which counts for 5 s from its start", async () => {
  const answer = Promise.withResolvers<string[]>();
  const { names, clock, asked } = namesOf(() => answer.promise);
  const both = [names.addressesOf("a.test"), names.addressesOf("a.test")];
  clock.nowMs = 3_000;
  answer.resolve(["192.0.2.1"]);
  expect(await Promise.all(both)).toEqual([["192.0.2.1"], ["192.0.2.1"]]);
  clock.nowMs = 4_999;
  expect(names.addressesOf("a.test")).toEqual(["192.0.2.1"]);
  expect(asked).toEqual(["a.test"]);
  clock.nowMs = 5_000;
  await names.addressesOf("a.test");
  expect(asked).toEqual(["a.test", "a.test"]);
});

test("a lookup that fails is not kept", async () => {
  let lookups = 0;
  const { names } = namesOf(async () => {
    if (++lookups === 1) throw new Error("SERVFAIL");
    return ["192.0.2.1"];
  });
  await expect((async () => await names.addressesOf("a.test"))()).rejects.toThrow("SERVFAIL");
  expect(await names.addressesOf("a.test")).toEqual(["192.0.2.1"]);
});

test("while the name server does not answer the last answer does, for a minute", async () => {
  let isSilent = false;
  const { names, clock, asked } = namesOf(async () => {
    if (isSilent) await new Promise(() => {});
    return ["192.0.2.1"];
  });
  await names.addressesOf("a.test");
  isSilent = true;
  clock.nowMs = 5_000;
  expect(await names.addressesOf("a.test")).toEqual(["192.0.2.1"]); // after some patience
  clock.nowMs = 59_999;
  expect(names.addressesOf("a.test")).toEqual(["192.0.2.1"]);
  expect(asked).toEqual(["a.test", "a.test"]);
  clock.nowMs = 60_000;
  const waits = names.addressesOf("a.test");
  expect(await Promise.race([waits, Promise.resolve("nothing yet")])).toBe("nothing yet");
});

test("a name that leads to a refused address now is refused at once", async () => {
  const answers = [["192.0.2.1"], ["169.254.169.254"], ["169.254.169.254"]];
  const { names, clock } = namesOf(async () => answers.shift() ?? []);
  await names.addressesOf("a.test");
  for (let i = 0; i < 2; i++) {
    clock.nowMs += 5_000;
    await expect((async () => await names.addressesOf("a.test"))()).rejects.toThrow("never go");
  }
});

test("an address where nobody answered comes last, also when the name is looked up again", async () => {
  const { names, clock } = namesOf(async () => ["192.0.2.1", "192.0.2.2"]);
  await names.addressesOf("a.test");
  names.avoid("a.test", "192.0.2.1");
  expect(names.addressesOf("a.test")).toEqual(["192.0.2.2", "192.0.2.1"]);
  clock.nowMs = 5_000;
  expect(await names.addressesOf("a.test")).toEqual(["192.0.2.2", "192.0.2.1"]);
});

test("an address is never looked up", () => {
  const { names, asked } = namesOf(async () => []);
  expect(names.addressesOf("127.0.0.1")).toEqual(["127.0.0.1"]);
  expect(names.addressesOf("[::1]")).toEqual(["::1"]);
  expect(() => names.addressesOf("[fe80::1]")).toThrow("link-local");
  expect(asked).toEqual([]);
});

test("what a name server calls an address and is none is not connected to", async () => {
  const { names } = namesOf(async () => ["other.test", "127.1", "192.0.2.1"]);
  expect(await names.addressesOf("a.test")).toEqual(["192.0.2.1"]);
});

test("a thousand names are remembered", async () => {
  const { names, asked } = namesOf(async () => ["192.0.2.1"]);
  for (let i = 0; i <= 1_000; i++) await names.addressesOf(`n${i}.test`);
  asked.length = 0;
  await names.addressesOf("n1.test");
  await names.addressesOf("n0.test");
  expect(asked).toEqual(["n0.test"]);
});
