/**
 * npm test: installs what tests need, runs them and closes with the line `N passed, N failed` (`, N skipped`).
 *
 *     npm test                          everything
 *     npm test -- test/compat roster    the test files with one of these in their path
 *     npm test -- -t "a name"           flags go to `bun test`
 *
 * The exit code is 1 if a test failed, if none ran, or if one was skipped while CI is set.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { findBun } from "./bun.mjs";
import { readJunit } from "./junit.mjs";
import { findProgram, PROGRAM_NAMES, PROGRAMS } from "./programs.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const TEST_FOLDERS = ["packages", "bench", "scripts", "test"];
const UNIT_TIMEOUT_MS = 20_000; // ours: a property test on a busy machine
const SYSTEM_TIMEOUT_MS = 60_000; // ours: a test that starts servers and browsers
const RUN_TIMEOUT_MS = 7 * 60_000; // ours: one run that hangs must not use up a whole CI job
const FLAGS_WITH_VALUE = ["-t", "--test-name-pattern", "--timeout", "--seed", "--rerun-each", "--retry"];

/** @typedef {import("./junit.mjs").TestCase} TestCase */
/** @typedef {{ title: string, files: string[], timeoutMs: number }} Run */

const setUp = spawnSync(process.execPath, [join(ROOT, "scripts/set-up.mjs"), "--tests"], {
  stdio: "inherit",
});
if (setUp.status !== 0) process.exit(1);
const BUN = findBun(ROOT) ?? "bun";

process.exitCode = main(process.argv.slice(2));

/**
 * @param {string[]} args
 * @returns {number} the exit code
 */
function main(args) {
  const { filters, flags } = readArguments(args);
  const files = TEST_FOLDERS.flatMap(testFiles).filter((file) => isWanted(file, filters));
  const cases = runsOf(files).flatMap((run) => execute(run, flags));

  const passed = cases.filter(({ outcome }) => outcome === "passed");
  const failed = cases.filter(({ outcome }) => outcome === "failed");
  const skipped = hasNamePattern(flags) ? [] : cases.filter(({ outcome }) => outcome === "skipped");
  const isCi = !["", "0", "false", undefined].includes(process.env["CI"]);

  console.log("");
  for (const { file, name } of failed) console.log(`failed: ${file}: ${name}`);
  for (const { file, name } of skipped) console.log(`skipped: ${file}: ${name}`);
  if (passed.length + failed.length === 0) console.log("No test ran.");
  if (isCi && skipped.length > 0) console.log("On CI no test may be skipped.");
  console.log(
    `${passed.length} passed, ${failed.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`,
  );
  const isGreen = passed.length > 0 && failed.length === 0 && !(isCi && skipped.length > 0);
  return isGreen ? 0 : 1;
}

/**
 * Flags for `bun test`, and the rest, which chooses files.
 *
 * @param {string[]} args
 */
function readArguments(args) {
  /** @type {string[]} */
  const filters = [];
  /** @type {string[]} */
  const flags = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    if (!arg.startsWith("-")) filters.push(arg);
    else flags.push(arg, ...(FLAGS_WITH_VALUE.includes(arg) ? args.slice(++i, i + 1) : []));
  }
  return { filters, flags };
}

/**
 * With a name pattern every test that does not match it counts as skipped, which is no news.
 *
 * @param {string[]} flags
 */
function hasNamePattern(flags) {
  return flags.some((flag) => /^(-t|--test-name-pattern)(=|$)/.test(flag));
}

/**
 * The test files of a folder, never those of installed packages.
 *
 * @param {string} folder
 * @returns {string[]}
 */
function testFiles(folder) {
  const path = join(ROOT, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const inside = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return entry.name === "node_modules" ? [] : testFiles(inside);
      return /\.test\.tsx?$/.test(entry.name) ? [inside] : [];
    });
}

/**
 * @param {string} file
 * @param {string[]} filters
 */
function isWanted(file, filters) {
  if (filters.length === 0) return true;
  return filters.some((filter) => {
    const path = relative(ROOT, resolve(filter)).split(sep).join("/");
    return file.includes(filter) || file === path || file.startsWith(`${path}/`);
  });
}

/**
 * The unit tests in one process, then each folder of whole-system tests in a process of its own.
 *
 * @param {string[]} files
 * @returns {Run[]}
 */
function runsOf(files) {
  /** @type {Map<string, Run>} */
  const runs = new Map();
  for (const file of files) {
    const isSystem = file.startsWith("test/");
    const title = isSystem ? dirname(file).split("/").slice(0, 2).join("/") : "unit tests";
    const run = runs.get(title) ?? {
      title,
      files: [],
      timeoutMs: isSystem ? SYSTEM_TIMEOUT_MS : UNIT_TIMEOUT_MS,
    };
    run.files.push(file);
    runs.set(title, run);
  }
  return [...runs.values()];
}

/**
 * Runs the tests of some files, shows what they print and returns one case for each test.
 *
 * @param {Run} run
 * @param {string[]} flags
 * @returns {TestCase[]}
 */
function execute({ title, files, timeoutMs }, flags) {
  console.log(`\n=== ${title} ===`);
  const folder = mkdtempSync(join(tmpdir(), "earshot-report-"));
  const report = join(folder, "junit.xml");
  const { status, signal, error } = spawnSync(
    BUN,
    [
      "test",
      "--no-env-file",
      `--timeout=${timeoutMs}`,
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      ...flags,
      ...files.map((file) => `./${file}`),
    ],
    {
      cwd: ROOT,
      env: { ...process.env, ...programVariables() },
      killSignal: "SIGKILL",
      stdio: "inherit",
      timeout: RUN_TIMEOUT_MS,
    },
  );
  const cases = existsSync(report) ? readJunit(readFileSync(report, "utf8")) : [];
  rmSync(folder, { recursive: true, force: true });
  const tookTooLong = error !== undefined && "code" in error && error.code === "ETIMEDOUT";
  const end = tookTooLong
    ? `stopped after ${RUN_TIMEOUT_MS / 60_000} minutes; the last line above says where`
    : `ended by ${signal}`;
  const silent = silentFiles(files, cases, status === null ? end : `exit code ${status}`);
  const isExplained = silent.length > 0 || cases.some(({ outcome }) => outcome === "failed");
  const matchedNone = hasNamePattern(flags) && cases.every(({ outcome }) => outcome === "skipped");
  if (status === 0 || isExplained || matchedNone) return [...cases, ...silent];
  const cause = error?.message ?? `exit code ${status} although no test failed`;
  return [...cases, { file: title, name: cause, outcome: "failed" }];
}

/**
 * Each file of which the report says nothing is a failure: it could not be loaded, it holds no test, or the whole process
 * ended before its end (even with exit code 0, where a test called `process.exit`).
 *
 * @param {string[]} files
 * @param {TestCase[]} cases
 * @param {string} cause
 * @returns {TestCase[]}
 */
function silentFiles(files, cases, cause) {
  const reported = new Set(cases.map(({ file }) => file));
  const silent = files.filter((file) => !reported.has(file));
  return silent.map((file) => ({ file, name: `reported no result (${cause})`, outcome: "failed" }));
}

/** What the tests are told about the programs that are here. */
function programVariables() {
  const found = PROGRAM_NAMES.map((name) => [PROGRAMS[name].variable, findProgram(name)]);
  return Object.fromEntries(found.filter(([, place]) => place !== undefined));
}
