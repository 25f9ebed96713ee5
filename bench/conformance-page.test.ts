import { expect, test } from "bun:test";
import type { Result, Section } from "../packages/server/src/cli/conformance/check.ts";
import { conformancePage } from "./conformance-page.ts";

const run = () => Promise.resolve();
const SECTIONS: Section[] = [
  { letter: "A", title: "Connecting", checks: [{ number: 1, what: "takes <any> order | query", run }] },
  { letter: "B", title: "Liveness", checks: [{ number: 2, what: "a_b", run }] },
];

function result(number: number, outcome: Result["outcome"], seen = ""): Result {
  return { number, section: "A", what: "", outcome, seen };
}

test("the page has a column a server, and says what was seen without what differs from run to run", () => {
  const page = conformancePage(SECTIONS, [
    { name: "Ours", version: "1", results: [result(1, "skip", "one node"), result(2, "skip", "one node")] },
    {
      name: "Theirs",
      version: "2",
      results: [
        result(1, "fail", 'no connection to 127.0.0.1:4711; {"channel":"check-0a1b2c3d-17"}'),
        result(2, "pass"),
      ],
    },
  ]);
  expect(page).toContain("| Ours | 1 | 0 passed, 0 failed, 2 skipped |");
  expect(page).toContain("| 1 | takes \\<any\\> order \\| query | skip | **fail** |");
  expect(page).toContain("| 2 | a\\_b | skip | pass |");
  expect(page).toContain('## What was seen at Theirs\n\n- 1: no connection to HOST:PORT; {"channel":"NAME"}');
  expect(page).toContain("## What was skipped at Ours, and why\n\n- 1, 2: one node");
  expect(page).not.toContain("## What was seen at Ours");
});
