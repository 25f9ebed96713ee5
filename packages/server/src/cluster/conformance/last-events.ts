import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { LastEvents } from "#core/ports";

export interface LastEventsUnderTest {
  readonly lastEvents: LastEvents;
  /** Lets time pass for the port. */
  readonly advance: (ms: number) => void | Promise<void>;
  /** Gives back what the test used. */
  readonly dispose?: () => Promise<void>;
}

/** What every form of the port promises. @param make a port that remembers nothing, new for each test */
export function lastEventsConformance(
  form: string,
  make: () => LastEventsUnderTest | Promise<LastEventsUnderTest>,
): void {
  describe(`last events: ${form}`, () => {
    let under: LastEventsUnderTest;
    let lastEvents: LastEvents;

    beforeEach(async () => {
      under = await make();
      lastEvents = under.lastEvents;
    });
    afterEach(async () => under.dispose?.());

    const price = (data: string) => ({ name: "price", data });

    test("remembers nothing in the beginning", async () => {
      expect(await lastEvents.recall("4711", "cache-x")).toBeUndefined();
    });

    test("gives the last event with the seconds that it has left", async () => {
      await lastEvents.remember("4711", "cache-x", price("1"), 60);
      await lastEvents.remember("4711", "cache-x", { name: "other", data: "2" }, 1_800);
      expect(await lastEvents.recall("4711", "cache-x")).toEqual({
        name: "other",
        data: "2",
        ttlSeconds: 1_800,
      });
    });

    test("keeps the last of many that come without waiting", async () => {
      const writes = Array.from({ length: 50 }, (_, index) =>
        lastEvents.remember("4711", "cache-x", price(String(index)), 60),
      );
      await Promise.all(writes);
      expect(await lastEvents.recall("4711", "cache-x")).toMatchObject({ data: "49" });
    });

    test("keeps names and data unchanged, the empty string too", async () => {
      const texts = ["", " ", "null", "{}", "\u0000", "\u2028", "😀", '"', "\\", "a\nb"];
      for (const [index, text] of texts.entries()) {
        await lastEvents.remember("4711", `cache-${index}`, { name: `n${text}`, data: text }, 60);
      }
      for (const [index, text] of texts.entries()) {
        expect(await lastEvents.recall("4711", `cache-${index}`)).toMatchObject({
          name: `n${text}`,
          data: text,
        });
      }
    });

    test("keeps apps and channels apart, whatever they are called", async () => {
      const rows = [
        ["a", "cache-b"],
        ["a-cache", "b"],
        ["__proto__", "constructor"],
        ["constructor", "__proto__"],
      ] as const;
      for (const [index, [appId, channel]] of rows.entries()) {
        await lastEvents.remember(appId, channel, price(String(index)), 60);
      }
      for (const [index, [appId, channel]] of rows.entries()) {
        expect(await lastEvents.recall(appId, channel)).toMatchObject({ data: String(index) });
      }
      expect(await lastEvents.recall("a", "b")).toBeUndefined();
    });

    test("rounds what is left up to whole seconds, and forgets when nothing is left", async () => {
      await lastEvents.remember("4711", "cache-x", price("1"), 2);
      await under.advance(1_500);
      expect(await lastEvents.recall("4711", "cache-x")).toMatchObject({ ttlSeconds: 1 });
      await under.advance(500);
      expect(await lastEvents.recall("4711", "cache-x")).toBeUndefined();
    });

    test("counts the time anew with each event", async () => {
      await lastEvents.remember("4711", "cache-x", price("1"), 2);
      await under.advance(1_500);
      await lastEvents.remember("4711", "cache-x", price("2"), 2);
      await under.advance(1_500);
      expect(await lastEvents.recall("4711", "cache-x")).toEqual({ name: "price", data: "2", ttlSeconds: 1 });
    });

    test("does not count the time anew because somebody looks", async () => {
      await lastEvents.remember("4711", "cache-x", price("1"), 2);
      await under.advance(1_500);
      await lastEvents.recall("4711", "cache-x");
      await under.advance(500);
      expect(await lastEvents.recall("4711", "cache-x")).toBeUndefined();
    });
  });
}
