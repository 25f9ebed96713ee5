/** What one test runner's report in JUnit's format says, as far as a sum needs it. */

/** @typedef {"passed" | "failed" | "skipped"} Outcome */
/** @typedef {{ file: string, name: string, outcome: Outcome }} TestCase */

/**
 * One entry for each test case.
 *
 * @param {string} xml
 * @returns {TestCase[]}
 */
export function readJunit(xml) {
  const cases = xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g);
  return [...cases].map(([, attributes = "", body = ""]) => ({
    file: attribute(attributes, "file"),
    name: fullName(attribute(attributes, "classname"), attribute(attributes, "name")),
    outcome: outcomeOf(body),
  }));
}

/**
 * @param {string} body
 * @returns {Outcome}
 */
function outcomeOf(body) {
  if (/<(?:failure|error)\b/.test(body)) return "failed";
  return body.includes("<skipped") ? "skipped" : "passed";
}

/**
 * `describe` blocks from the outermost, as the runner prints them. (The report has them from the innermost.)
 *
 * @param {string} blocks
 * @param {string} name
 */
function fullName(blocks, name) {
  const outermostFirst = blocks.split(" > ").reverse();
  return [...outermostFirst, name].filter((part) => part !== "").join(" > ");
}

const ENTITIES = new Map([
  ["lt", "<"],
  ["gt", ">"],
  ["amp", "&"],
  ["quot", '"'],
  ["apos", "'"],
]);

/**
 * @param {string} attributes
 * @param {string} name
 */
function attribute(attributes, name) {
  const text = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return text.replace(/&(#x?[0-9a-f]+|[a-z]+);/gi, (entity, code) => {
    if (code.startsWith("#x")) return String.fromCodePoint(Number.parseInt(code.slice(2), 16));
    if (code.startsWith("#")) return String.fromCodePoint(Number(code.slice(1)));
    return ENTITIES.get(code) ?? entity;
  });
}
