/**
 * The same inputs in every run, so that a failure is the change's own doing; `npm run fuzz` plays new ones. Together
 * they are more than 100,000. EARSHOT_FUZZ_SEED begins elsewhere.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { CORPUS, corpusFiles, print, replay, run, TARGETS } from "./run.ts";

const SEED = Number(process.env["EARSHOT_FUZZ_SEED"] ?? 1);
const INPUTS: Readonly<Record<string, number>> = { core: 90_000, late: 20_000, server: 3_000 };
const MAX_TEST_MS = 300_000; // ours: a machine that is busy with other tests

afterAll(async () => {
  for (const target of TARGETS) await target.stop?.();
});

describe("random and damaged messages, requests and bytes disturb nothing", () => {
  test.each(TARGETS.map((target) => [target.name, target] as const))(
    "%s",
    async (name, target) => {
      const wanted = INPUTS[name] ?? 0;
      const { inputs, reports } = await run(target, SEED, (done) => done >= wanted);
      if (reports.length > 0) throw new Error(reports.map(print).join("\n"));
      expect(inputs).toBeGreaterThanOrEqual(wanted);
    },
    MAX_TEST_MS,
  );

  test("which together are at least 100,000", () => {
    expect(Object.values(INPUTS).reduce((sum, inputs) => sum + inputs)).toBeGreaterThanOrEqual(100_000);
  });
});

describe("what was found before stays mended", () => {
  test.each(corpusFiles())("%s", async (file) => {
    expect(await replay(join(CORPUS, file))).toBeUndefined();
  });
});
