import { expect, test } from "bun:test";
import { Taps } from "./taps.ts";
import { ManualClock } from "./testing/manual-clock.ts";

function watched() {
  const taps = new Taps(new ManualClock());
  const seen: string[] = [];
  const open = (name: string, appId: string, channels: readonly string[]) =>
    taps.open(appId, channels, ({ channel, event, data }) =>
      seen.push(`${name}:${channel}:${event}:${data}`),
    );
  return { taps, seen, open };
}

test("show every event of their app, with the wall clock's time", () => {
  const taps = new Taps(new ManualClock());
  const seen: unknown[] = [];
  taps.open("4711", [], (event) => seen.push(event));
  taps.show("4711", "news", "e", "d");
  taps.show("4712", "news", "e", "d");
  expect(seen).toEqual([{ channel: "news", event: "e", data: "d", receivedMs: 1_700_000_000_000 }]);
});

test("show only the channels that were asked for, where any were", () => {
  const { taps, seen, open } = watched();
  open("some", "4711", ["news", "sport"]);
  open("all", "4711", []);
  taps.show("4711", "sport", "e", "1");
  taps.show("4711", "weather", "e", "2");
  expect(seen).toEqual(["some:sport:e:1", "all:sport:e:1", "all:weather:e:2"]);
});

test("end when they are closed, any number of times, and leave the others open", () => {
  const { taps, seen, open } = watched();
  const close = open("a", "4711", []);
  open("b", "4711", []);
  close();
  close();
  taps.show("4711", "news", "e", "1");
  expect(seen).toEqual(["b:news:e:1"]);
});

test("may be opened again after the last one was closed", () => {
  const { taps, seen, open } = watched();
  const close = open("a", "4711", []);
  close();
  open("b", "4711", []);
  close();
  taps.show("4711", "news", "e", "1");
  expect(seen).toEqual(["b:news:e:1"]);
});

test("may close themselves while they are shown an event", () => {
  const taps = new Taps(new ManualClock());
  const seen: string[] = [];
  const close = taps.open("4711", [], () => {
    seen.push("first");
    close();
  });
  taps.open("4711", [], () => seen.push("second"));
  taps.show("4711", "news", "e", "1");
  taps.show("4711", "news", "e", "2");
  expect(seen).toEqual(["first", "second", "second"]);
});
