import { expect, test } from "bun:test";
import { readJunit } from "./junit.mjs";

test("reads each test case with its file, its full name and its outcome", () => {
  const cases = readJunit(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="5" failures="2" skipped="2">
  <testsuite name="a.test.ts" file="a.test.ts">
    <testcase name="passes" classname="" time="0" file="a.test.ts" line="2" assertions="0" />
    <testcase name="a &lt; b &amp; &quot;c&quot; &#65;&#x42;" classname="inner &gt; outer" file="a.test.ts" />
    <testcase name="is left out" classname="" file="a.test.ts">
      <skipped />
    </testcase>
    <testcase name="comes later" classname="" file="a.test.ts">
      <skipped message="TODO" />
    </testcase>
    <testcase name="fails" classname="" file="a.test.ts">
      <failure type="AssertionError" message="&lt;skipped /&gt;">text</failure>
    </testcase>
    <testcase name="breaks" classname="" file="a.test.ts">
      <error message="x" />
    </testcase>
  </testsuite>
</testsuites>`);
  expect(cases).toEqual([
    { file: "a.test.ts", name: "passes", outcome: "passed" },
    { file: "a.test.ts", name: 'outer > inner > a < b & "c" AB', outcome: "passed" },
    { file: "a.test.ts", name: "is left out", outcome: "skipped" },
    { file: "a.test.ts", name: "comes later", outcome: "skipped" },
    { file: "a.test.ts", name: "fails", outcome: "failed" },
    { file: "a.test.ts", name: "breaks", outcome: "failed" },
  ]);
});
