import { expect, test } from "bun:test";
import { Query } from "@earshot/protocol/query";
import type { TappedEvent } from "#core/taps";
import { World } from "#core/testing/world";
import { tap } from "./tap.ts";
import { apiPartsOf } from "./testing/api-parts.ts";

function watch(rawQuery = "") {
  const world = new World();
  const { taps } = world;
  let onlookers = 0;
  const open = taps.open.bind(taps);
  taps.open = (appId: string, channels: readonly string[], show: (event: TappedEvent) => void) => {
    onlookers++;
    const close = open(appId, channels, show);
    let isClosed = false;
    return () => {
      if (!isClosed) onlookers--;
      isClosed = true;
      close();
    };
  };
  let keptOpen = 0;
  const request = { app: world.app(), query: new Query(rawQuery), body: new Uint8Array() };
  const keepOpen = () => {
    keptOpen++;
  };
  const answer = tap(apiPartsOf(world), request, [], { request: new Request("http://h/"), keepOpen });
  const reader = answer instanceof Response ? answer.body?.getReader() : undefined;
  const decoder = new TextDecoder();
  return {
    world,
    answer,
    reader,
    read: async () => decoder.decode((await reader?.read())?.value),
    onlookers: () => onlookers,
    keptOpen: () => keptOpen,
  };
}

test("shows what is published as server-sent events, past the idle limit, and is no subscriber", async () => {
  const { world, answer, read, keptOpen } = watch();
  if (answer instanceof Response) expect(answer.headers.get("content-type")).toBe("text/event-stream");
  expect(keptOpen()).toBe(1);
  expect(await read()).toBe(": listening\n\n");
  world.publish("news", "e", "line\nline");
  expect(await read()).toBe(
    'data: {"channel":"news","event":"e","data":"line\\nline","received_ms":1700000000000}\n\n',
  );
  expect(world.occupied()).toEqual([]);
});

test("shows the channels that were asked for, and refuses names that are none", async () => {
  const { world, read } = watch("channels=news,private-x,");
  await read();
  world.publish("sport", "e", "1");
  world.publish("private-x", "e", "2");
  expect(await read()).toContain('"data":"2"');
  const refused = watch("channels=news,a%20b");
  expect(refused.answer).toMatchObject({ reason: "channelNameInvalid" });
  expect(refused.onlookers()).toBe(0);
});

test("ends when the onlooker goes", async () => {
  const { world, reader, read, onlookers } = watch();
  await read();
  expect(onlookers()).toBe(1);
  await reader?.cancel();
  expect(onlookers()).toBe(0);
  world.publish("news", "e", "d");
});

test("lets an onlooker go that has stopped reading, and disturbs no publish", async () => {
  const { world, read, onlookers } = watch();
  await read();
  for (let event = 0; event < 400; event++) world.publish("news", "e", "x".repeat(10_000));
  expect(onlookers()).toBe(0);
  world.publish("news", "e", "d");
});
