/** The documentation says what the code does: pages that are made from tables, links, flags. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { USAGES } from "../packages/server/src/cli/usage.ts";
import { referencePages } from "./reference.ts";

const ROOT = dirname(import.meta.dir);
const OUR_FOLDERS = ["packages", "scripts", "bench", "test", "docs"];

test.each([...referencePages().keys()])("%s is what the tables say", (path) => {
  const written = existsSync(join(ROOT, path)) ? readFileSync(join(ROOT, path), "utf8") : "";
  expect(written === referencePages().get(path), `run "npm run reference"`).toBe(true);
});

test("every @see of the code leads to a page and a heading that exist", () => {
  const lost = filesWith(/\.(ts|mjs|js)$/).flatMap((file) =>
    matches(read(file), /@see (docs\/\S+\.md(?:#[\w-]+)?)/g)
      .filter((target) => !leadsSomewhere("", target))
      .map((target) => `${file}: ${target}`),
  );
  expect(lost).toEqual([]);
});

test("every link of a page leads to a file and a heading that exist", () => {
  const lost = pages().flatMap((file) =>
    matches(withoutCode(read(file)), /\]\(([^)\s]+)\)/g)
      .filter((target) => !/^https?:/.test(target))
      .filter((target) => !leadsSomewhere(file, target))
      .map((target) => `${file}: ${target}`),
  );
  expect(lost).toEqual([]);
});

test("every flag of earshot that a page uses exists", () => {
  const unknown = pages().flatMap((file) =>
    commands(read(file))
      .flatMap(({ name, flags }) =>
        flags.filter((flag) => !flagsOf(name).has(flag)).map((flag) => `${name} ${flag}`),
      )
      .map((use) => `${file}: earshot ${use}`),
  );
  expect(unknown).toEqual([]);
});

/** The pages that people read, made or written. */
function pages(): string[] {
  const top = readdirSync(ROOT).filter((name) => name.endsWith(".md"));
  return [...top, ...filesWith(/\.md$/).filter((file) => file.startsWith("docs/"))];
}

function filesWith(ending: RegExp): string[] {
  const inside = (folder: string): string[] =>
    readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
      if (entry.name === "node_modules" || entry.name.startsWith(".")) return [];
      const path = `${folder}/${entry.name}`;
      return entry.isDirectory() ? inside(path) : ending.test(entry.name) ? [path] : [];
    });
  return OUR_FOLDERS.filter((folder) => existsSync(join(ROOT, folder))).flatMap(inside);
}

/** @param from the page that links; empty where the target counts from the root */
function leadsSomewhere(from: string, target: string): boolean {
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? from : relative(ROOT, join(ROOT, from === "" ? "." : dirname(from), path));
  if (!existsSync(join(ROOT, file))) return false;
  return anchor === undefined || anchorsOf(read(file)).has(anchor);
}

/** As the place where the pages are read makes them: lower case, no punctuation, dashes for spaces. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = matches(withoutCode(page), /^#{1,6} +(.+)$/gm);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_\- ]/gu, "")
        .trim()
        .replaceAll(" ", "-"),
    ),
  );
}

/** Blocks of code hold no links and no headings. */
function withoutCode(page: string): string {
  return page.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, "");
}

/** Each call of the program in a page, with the flags behind it. */
function commands(page: string): { name: string; flags: string[] }[] {
  const lines = page.replaceAll(/\\\n\s*/g, " ").split("\n");
  return lines.flatMap((line) =>
    [...line.matchAll(/\bearshot (serve|apps|trigger|tail|config)\b([^`|]*)/g)].map(
      ([, name = "", rest = ""]) => ({
        name,
        flags: matches(rest, /(--[a-z][a-z-]*)/g),
      }),
    ),
  );
}

function flagsOf(name: string): ReadonlySet<string> {
  const usage = `${USAGES[name] ?? ""}${name === "config" ? USAGES["serve"] : ""}`;
  return new Set(matches(usage, /(--[a-z][a-z-]*)/g));
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, found = ""]) => found);
}

function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}
