import { expect, test } from "bun:test";
import type { Socket } from "#core/ports";
import { NativeTopics } from "../topics.ts";
import { FallbackTopics, type LineSocket } from "./fallback-topics.ts";

class Listener implements LineSocket {
  readonly got: string[] = [];
  send(): void {}
  subscribe(): void {}
  unsubscribe(): void {}
  ping(): void {}
  close(): void {}
  terminate(): void {}
  deliver({ bytes }: { bytes: Uint8Array }): void {
    this.got.push(new TextDecoder().decode(bytes));
  }
}

test("a frame reaches every subscriber of its topic, but for the one that is left out", () => {
  const topics = new FallbackTopics();
  const [one, two, three] = [new Listener(), new Listener(), new Listener()];
  topics.subscribe("7/news", one);
  topics.subscribe("7/news", two);
  topics.subscribe("8/news", three);
  expect(topics.publish("7/news", "hello")).toBe(2);
  expect(topics.publish("7/news", "others", one)).toBe(1);
  expect(topics.publish("7/nobody", "hello")).toBe(0);
  expect([one.got, two.got, three.got]).toEqual([['a["hello"]\n'], ['a["hello"]\n', 'a["others"]\n'], []]);
});

test("is empty again when the last one has gone", () => {
  const topics = new FallbackTopics();
  const one = new Listener();
  topics.unsubscribe("7/news", one);
  topics.subscribe("7/news", one);
  expect(topics.isEmpty).toBe(false);
  topics.unsubscribe("7/news", one);
  expect(topics.isEmpty).toBe(true);
});

test("the native fan-out adds it, and never mistakes a fallback session for one of the runtime's sockets", () => {
  const companion = new FallbackTopics();
  const topics = new NativeTopics(companion);
  const published: string[] = [];
  const native = {
    subscriberCount: () => 3,
    publish: (_topic: string, frame: string) => published.push(frame),
  };
  topics.use([native as never], () => undefined); // of a server it asks only this much
  const [one, two] = [new Listener(), new Listener()];
  companion.subscribe("7/news", one);
  companion.subscribe("7/news", two);
  expect(topics.publish("7/news", "hello", one as Socket)).toBe(4);
  expect(published).toEqual(["hello"]);
  expect([one.got, two.got]).toEqual([[], ['a["hello"]\n']]);
});
