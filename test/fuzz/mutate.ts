import type { SeededChance } from "../../packages/server/src/core/testing/seeded-chance.ts";

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|null|true|false|\{\}|\[\]/g;

/** JSON texts, and some that nearly are, which no parser expected at this place. */
const TOKENS: readonly [string, ...string[]] = [
  "null",
  "true",
  "false",
  "0",
  "-0",
  "-1",
  "1.5",
  "1e400",
  "-1e400",
  "1e-400",
  "9007199254740993",
  "99999999999999999999999999999999999999999",
  '""',
  '" "',
  '"\\u0000"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\ufffd"',
  '"__proto__"',
  '"constructor"',
  '"Zoë"',
  '"😀"',
  '"\\u2028"',
  "[]",
  "{}",
  "[null]",
  '["news"]',
  "[[]]",
  "[[[[[[]]]]]]",
  '{"__proto__":{"channel":"news"}}',
  '{"toString":1}',
  '{"length":1e9}',
  "01",
  "+1",
  ".5",
  "NaN",
  "Infinity",
  "undefined",
  "'x'",
  '"\\x"',
  '"\\u12"',
  "[1,]",
  '{"a":}',
  '{"a" 1}',
  "//",
  "/**/",
  '"unclosed',
];

const CHARACTERS: readonly [string, ...string[]] = [
  "\u0000",
  "\u0001",
  "\u001f",
  "\u007f",
  "\u0080",
  "\u00a0",
  "\ufeff",
  "\u2028",
  "\u202e",
  "\ud800",
  "\udfff",
  "\uffff",
  "ä",
  "日",
  "😀",
  '"',
  "\\",
  "/",
  "{",
  "}",
  "[",
  "]",
  ":",
  ",",
  "%",
  "+",
  "&",
  "=",
  "#",
  "\n",
  "\r",
  "\t",
  " ",
  "0",
  "e",
];

/** Longer texts are not searched for values: that would take longer than the server takes with them. */
const MAX_SEARCHED_CHARS = 4_000;

type Mutation = (chance: SeededChance, text: string) => string;

const MUTATIONS: readonly [Mutation, ...Mutation[]] = [
  truncated,
  cut,
  doubled,
  flipped,
  inserted,
  withOtherToken,
  withOtherToken,
  withOtherToken,
  withSecondKey,
  wrapped,
  (_, text) => text.toUpperCase(),
  (_, text) => text.replaceAll('"', "'"),
  (_, text) => `\ufeff${text}`,
  (_, text) => text + text,
  (chance, text) => text + chance.pick(CHARACTERS),
  (_, text) => JSON.stringify(text),
];

/** A text that was damaged in one to four ways. */
export function mutated(chance: SeededChance, text: string): string {
  let result = text;
  for (let times = 1 + chance.integer(4); times > 0; times--) result = chance.pick(MUTATIONS)(chance, result);
  return result;
}

/** One character a byte: any byte changed, added, lost. */
export function mutatedBytes(chance: SeededChance, bytes: string): string {
  let result = bytes;
  for (let times = 1 + chance.integer(4); times > 0; times--) {
    const at = chance.integer(result.length + 1);
    const byte = String.fromCharCode(chance.integer(256));
    result = chance.pick([
      () => result.slice(0, at) + byte + result.slice(at),
      () => result.slice(0, at) + byte + result.slice(at + 1),
      () => result.slice(0, at) + result.slice(at + 1 + chance.integer(10)),
      () => result.slice(0, at),
    ])();
  }
  return result;
}

/** A JSON text that is strange, or none. */
export function strangeToken(chance: SeededChance): string {
  return chance.integer(60) === 0 ? large(chance) : chance.pick(TOKENS);
}

/** Texts of a size or depth that costs something. */
export function large(chance: SeededChance): string {
  const depth = chance.pick([100, 511, 513, 5_000, 30_000, 40_000, 100_000]);
  return chance.pick([
    () => "[".repeat(depth) + "]".repeat(depth),
    () => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`,
    () => "[".repeat(depth),
    () => `"${"x".repeat(chance.pick([1_000, 10_241, 90_000, 300_000]))}"`,
    () => `"${"\\u0000".repeat(chance.pick([1_000, 10_241, 20_000]))}"`,
    () => `"${"😀".repeat(chance.pick([100, 2_561, 30_000]))}"`,
    () => "9".repeat(chance.pick([400, 50_000])),
    () => `[${'"a",'.repeat(chance.pick([102, 20_000]))}"b"]`,
    () => `{${Array.from({ length: 5_000 }, (_, key) => `"k${key}":1`).join()}}`,
  ])();
}

function truncated(chance: SeededChance, text: string): string {
  return text.slice(0, chance.integer(text.length + 1));
}

function cut(chance: SeededChance, text: string): string {
  const at = chance.integer(text.length + 1);
  return text.slice(0, at) + text.slice(at + 1 + chance.integer(8));
}

function doubled(chance: SeededChance, text: string): string {
  const at = chance.integer(text.length + 1);
  const end = at + chance.integer(30);
  return text.slice(0, end) + text.slice(at);
}

function flipped(chance: SeededChance, text: string): string {
  if (text === "") return text;
  const at = chance.integer(text.length);
  const other = String.fromCharCode(
    text.charCodeAt(at) ^ (1 << chance.integer(chance.integer(4) === 0 ? 16 : 7)),
  );
  return text.slice(0, at) + other + text.slice(at + 1);
}

function inserted(chance: SeededChance, text: string): string {
  const at = chance.integer(text.length + 1);
  return text.slice(0, at) + chance.pick(CHARACTERS) + text.slice(at);
}

/** Any value of the text becomes one of another type. */
function withOtherToken(chance: SeededChance, text: string): string {
  if (text.length > MAX_SEARCHED_CHARS) return text;
  const tokens = [...text.matchAll(TOKEN)];
  const token = tokens[chance.integer(Math.max(tokens.length, 1))];
  if (token === undefined) return text;
  return text.slice(0, token.index) + strangeToken(chance) + text.slice(token.index + token[0].length);
}

/** A key that is there twice, with another value the second time. */
function withSecondKey(chance: SeededChance, text: string): string {
  if (text.length > MAX_SEARCHED_CHARS) return text;
  const keys = [...text.matchAll(/"(?:[^"\\]|\\.)*":/g)];
  const key = keys[chance.integer(Math.max(keys.length, 1))];
  if (key === undefined) return text;
  const repeated = `${key[0]}${strangeToken(chance)},`;
  return text.slice(0, key.index) + repeated + text.slice(key.index);
}

function wrapped(chance: SeededChance, text: string): string {
  const depth = chance.integer(20) === 0 ? chance.pick([600, 20_000, 100_000]) : 1 + chance.integer(3);
  return chance.integer(2) === 0
    ? "[".repeat(depth) + text + "]".repeat(depth)
    : '{"data":'.repeat(depth) + text + "}".repeat(depth);
}
