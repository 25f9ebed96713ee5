import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Terminations } from "#core/ports";

export interface TerminationsUnderTest {
  readonly terminations: Terminations;
  /** What each node was told to end, in order: app and user. */
  readonly told: readonly (readonly (readonly [appId: string, userId: string])[])[];
  /** Waits until everything has arrived that is on its way. */
  readonly settle: () => Promise<void>;
  /** Gives back what the test used. */
  readonly dispose?: () => Promise<void>;
}

/** What every form of the port promises. @param make all nodes, told of nothing yet, new for each test */
export function terminationsConformance(
  form: string,
  make: () => TerminationsUnderTest | Promise<TerminationsUnderTest>,
): void {
  describe(`terminations: ${form}`, () => {
    let under: TerminationsUnderTest;

    beforeEach(async () => {
      under = await make();
    });
    afterEach(async () => under.dispose?.());

    test("reach every node once, in the order of the calls, with names unchanged", async () => {
      const calls = [
        ["4711", "u-7"],
        ["4711", "u-7"],
        ["4712", "u-7"],
        ["__proto__", "constructor"],
        ["4711", "Zoë 😀: *"],
      ] as const;
      for (const [appId, userId] of calls) await under.terminations.terminate(appId, userId);
      await under.settle();
      expect(under.told.length).toBeGreaterThan(0);
      for (const node of under.told) expect(node).toEqual(calls);
    });
  });
}
