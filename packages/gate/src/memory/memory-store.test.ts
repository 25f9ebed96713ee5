import { describe, expect, test } from "bun:test";
import { StoreWorld, storeConformance } from "../testing/store-conformance.ts";
import { memoryStore } from "./memory-store.ts";

describe("memory store", () => {
  storeConformance((context) => memoryStore().open(context), false);

  test("what is kept is ready to be sent when the store closes", async () => {
    const world = new StoreWorld((context) => memoryStore().open(context));
    await world.becomeFresh();
    await world.store.offer("a", "1");
    expect(await world.store.close()).toEqual(["a"]);
    expect(await world.drain("a")).toEqual(["1"]);
    expect(await world.store.offer("a", "2")).toEqual({ state: "unknown" });
  });
});
