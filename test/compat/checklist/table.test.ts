/** Compares docs/protocol/checklist.md with the tests of this folder. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PAGE = join(import.meta.dir, "../../../docs/protocol/checklist.md");
const WRITES = (process.env["EARSHOT_WRITE_CHECKLIST"] ?? "") !== "";

/** First and last line of each section. */
const SECTIONS: readonly (readonly [letter: string, first: number, last: number])[] = [
  ["A", 1, 10],
  ["B", 11, 18],
  ["C", 19, 25],
  ["D", 26, 32],
  ["E", 33, 46],
  ["F", 47, 56],
  ["G", 57, 67],
  ["H", 68, 73],
  ["I", 74, 80],
  ["J", 81, 99],
  ["K", 100, 108],
  ["L", 109, 115],
  ["M", 116, 121],
];

/** Lines that are tested but for the part that is still to come. */
const WITH_A_REST = ["F55", "F56", "G61", "I80", "J95", "K105"];

interface Row {
  readonly number: string;
  readonly behaviour: string;
  readonly files: readonly string[];
  /** Without the number in front. */
  readonly tests: readonly string[];
  /** What is still to come. */
  readonly next: string;
}

interface FoundTest {
  readonly number: string;
  readonly file: string;
  readonly name: string;
}

const found = readTests();
if (WRITES) writeFileSync(PAGE, filledIn(readFileSync(PAGE, "utf8")));
const rows = readRows(readFileSync(PAGE, "utf8"));

test("the table has a row for each of the 121 lines, in their order", () => {
  expect(rows.map(({ number }) => number)).toEqual(SECTIONS.flatMap(([letter]) => numbers(letter)));
  for (const { number, behaviour } of rows) expect([number, behaviour]).not.toEqual([number, ""]);
});

test("each row names exactly the tests whose names begin with its number", () => {
  for (const { number, files, tests } of rows) {
    const own = found.filter((each) => each.number === number);
    expect({ number, files, tests }).toEqual({
      number,
      files: filesOf(own),
      tests: own.map(({ name }) => name),
    });
  }
});

test("no test has a number that the table lacks; what belongs to a section and to no line has its letter alone", () => {
  const known = new Set([...rows.map(({ number }) => number), ...SECTIONS.map(([letter]) => letter)]);
  expect(found.filter(({ number }) => !known.has(number))).toEqual([]);
});

test("each row has a test, and only what waits for a later part of Earshot says so", () => {
  expect(rows.filter(({ tests }) => tests.length === 0).map(({ number }) => number)).toEqual([]);
  for (const { number, next } of rows)
    expect([number, next !== ""]).toEqual([number, WITH_A_REST.includes(number)]);
});

test("no test of the checklist is left out, but where the program that it needs is not installed", () => {
  for (const file of testFiles()) {
    const calls = [...textOf(file).matchAll(/\b(?:test|describe)\.(?:skip|todo|only|if|todoIf|failing)\b/g)];
    expect([file, calls.map(([call]) => call)]).toEqual([file, []]);
  }
});

function numbers(letter: string): string[] {
  const [, first = 1, last = 0] = SECTIONS.find(([each]) => each === letter) ?? [];
  return Array.from({ length: last - first + 1 }, (_, at) => `${letter}${first + at}`);
}

function testFiles(): string[] {
  return readdirSync(import.meta.dir)
    .filter((file) => /^[a-z]-.*\.test\.ts$/.test(file))
    .sort();
}

function textOf(file: string): string {
  return readFileSync(join(import.meta.dir, file), "utf8");
}

/** Names as they stand in the source; what a template fills in is shown as three dots. */
function readTests(): FoundTest[] {
  return testFiles().flatMap((file) =>
    namesIn(textOf(file)).map((text) => {
      const [, number = "(none)", name = text] = /^([A-Z]\d*): (.*)$/s.exec(text) ?? [];
      return { number, file, name };
    }),
  );
}

/** The first argument of `test(...)`, `test.concurrent(...)`, `test.each(...)(...)`, in the order of the source. */
function namesIn(source: string): string[] {
  return [...source.matchAll(/\btest(?=[.(])/g)].flatMap(({ index }) => {
    const name = nameBehind(source, index + "test".length);
    return name === undefined ? [] : [name];
  });
}

function nameBehind(source: string, start: number): string | undefined {
  let at = start;
  for (;;) {
    const rest = source.slice(at);
    const [, literal] = /^\(\s*("(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`)/s.exec(rest) ?? [];
    if (literal !== undefined) return textOfLiteral(literal);
    const [member] = /^\.\w+/.exec(rest) ?? [];
    const length = member?.length ?? groupLength(rest);
    if (length === 0) return undefined;
    at += length;
  }
}

/** The value of a string or template. */
function textOfLiteral(literal: string): string {
  return literal
    .slice(1, -1)
    .replaceAll(/\$\{[^}]*\}/g, "...")
    .replaceAll(/\\(.)/g, "$1");
}

/** How far the parentheses at the beginning of a text reach; 0 where there are none. */
function groupLength(text: string): number {
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(
    /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|[()]|[^()"'`]+/gs,
  )) {
    if (index === 0 && token !== "(") return 0;
    if (token === "(") depth++;
    if (token === ")") depth--;
    if (depth === 0) return index + token.length;
  }
  return 0;
}

function filesOf(tests: readonly FoundTest[]): string[] {
  return [...new Set(tests.map(({ file }) => file))];
}

function readRows(page: string): Row[] {
  return page.split("\n").flatMap((line) => {
    if (!isRow(line)) return [];
    const [number = "", behaviour = "", files = "", tests = ""] = cells(line);
    const parts = tests.split("<br>").filter((part) => part !== "");
    const next = parts.find((part) => part.startsWith("next: ")) ?? "";
    const names = parts.filter((part) => part !== next).map(unescaped);
    const named = files.split("<br>").map((file) => file.replaceAll("`", ""));
    return [{ number, behaviour, files: named.filter((file) => file !== ""), tests: names, next }];
  });
}

function isRow(line: string): boolean {
  return /^\| [A-Z]\d+ \|/.test(line);
}

function cells(line: string): string[] {
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** The page with files and tests as they are now; what people wrote stays. */
function filledIn(page: string): string {
  const lines = page.split("\n").map((line) => {
    if (!isRow(line)) return line;
    const [row] = readRows(line);
    if (row === undefined) return line;
    const { number, behaviour, next } = row;
    const own = found.filter((each) => each.number === number);
    const files = filesOf(own).map((file) => `\`${file}\``);
    const tests = [...own.map(({ name }) => escaped(name)), ...(next === "" ? [] : [next])];
    return `| ${number} | ${behaviour} | ${files.join("<br>")} | ${tests.join("<br>")} |`;
  });
  return lines.join("\n");
}

function escaped(name: string): string {
  return name.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("|", "\\|");
}

function unescaped(text: string): string {
  return text.replaceAll("\\|", "|").replaceAll("&lt;", "<").replaceAll("&amp;", "&");
}
