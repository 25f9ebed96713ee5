import { describe, expect, test } from "bun:test";
import { createGate } from "./gate.ts";
import { GateError } from "./gate-error.ts";
import { settingsFor } from "./settings.ts";
import { FakeService } from "./testing/fake-service.ts";
import { ManualTime } from "./testing/manual-time.ts";

describe("the options of a gate", () => {
  const pusher = new FakeService(new ManualTime());

  test("that do not fit together are refused in words", () => {
    const refused: [options: object, text: string][] = [
      [{ feed: "stream", pusher: undefined }, "pass an instance of the pusher library"],
      [{ feed: "pigeons" }, 'feed is pigeons: say "webhooks" or "stream"'],
      [{}, "feed is undefined"],
      [{ feed: "webhooks", freshness: "maybe" }, 'freshness is maybe: say "checked" or "trusted"'],
      [{ feed: "stream", freshness: "trusted" }, "only webhooks can be trusted"],
      [{ feed: "stream", prefix: "a b" }, "prefix is 'a b'"],
      [{ feed: "stream", lagWindowMs: 5 }, "lagWindowMs is 5: take 50 to 600000 milliseconds"],
      [{ feed: "stream", lagWindowMs: Number.NaN }, "lagWindowMs is NaN"],
    ];
    for (const [options, text] of refused) {
      const create = () => Reflect.apply(createGate, undefined, [{ pusher, ...options }]);
      expect(create).toThrow(GateError);
      expect(create).toThrow(text);
    }
  });

  test("leave room for what was kept until it is found out that a watcher was not heard of", () => {
    for (const lagWindowMs of [50, 250, 5_000, 60_000]) {
      const { maxBehindMs, validityMs, tickMs, askEveryMs } = settingsFor(lagWindowMs);
      expect(maxBehindMs + validityMs + tickMs).toBeLessThan(lagWindowMs);
      expect(2 * askEveryMs).toBeLessThanOrEqual(validityMs);
    }
  });
});
