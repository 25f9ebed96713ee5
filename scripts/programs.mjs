/**
 * Programs from outside npm that tests need, and where they are on this machine.
 * Used by the set-up, by `npm test` and by the tests themselves, so that `bun test` by hand finds the same ones.
 */
import { accessSync, constants, readdirSync, realpathSync, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** @typedef {"chromium" | "postgres" | "redis"} ProgramName */

/**
 * @typedef {object} Program
 * @property {string} variable environment variable that names the place; empty means "treat it as missing"
 * @property {string} aptPackage name of the package on Debian and its relatives
 * @property {string} neededBy folder of the tests that need it; without that folder it is not installed
 * @property {() => string | undefined} search looks in the usual places
 */

/** @type {Record<ProgramName, Program>} */
export const PROGRAMS = {
  /** The path of a Chromium or Chrome binary. */
  chromium: {
    variable: "EARSHOT_TEST_CHROMIUM",
    aptPackage: "chromium",
    neededBy: "test/browser",
    search: () =>
      firstExecutable([
        ...onPath("chromium"),
        ...onPath("chromium-browser"),
        ...onPath("google-chrome-stable"),
        ...onPath("google-chrome"),
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
      ]),
  },
  /** The folder that holds `initdb` and `postgres`. */
  postgres: {
    variable: "EARSHOT_TEST_POSTGRES_BIN",
    aptPackage: "postgresql",
    neededBy: "packages/server/src/store",
    search: () =>
      [
        ...numberedFolders("/usr/lib/postgresql", (version) => join(version, "bin")),
        ...onPath("initdb")
          .filter(isExecutable)
          .map((initdb) => dirname(realpathSync(initdb))),
        "/opt/homebrew/opt/postgresql/bin",
        "/usr/local/opt/postgresql/bin",
      ].find((folder) => isExecutable(join(folder, "initdb")) && isExecutable(join(folder, "postgres"))),
  },
  /** The path of `redis-server`. */
  redis: {
    variable: "EARSHOT_TEST_REDIS_SERVER",
    aptPackage: "redis-server",
    neededBy: "packages/gate",
    search: () => firstExecutable(onPath("redis-server")),
  },
};

/** @type {readonly ProgramName[]} */
export const PROGRAM_NAMES = ["chromium", "postgres", "redis"];

/**
 * Where a program is: what its variable says, else what a search finds, else undefined.
 *
 * @param {ProgramName} name
 * @returns {string | undefined}
 * @throws {Error} if the variable names a place that does not exist
 */
export function findProgram(name) {
  const { variable, search } = PROGRAMS[name];
  const given = process.env[variable];
  if (given === undefined) return search();
  if (given === "") return undefined;
  if (statSync(given, { throwIfNoEntry: false }) === undefined) {
    throw new Error(`${variable} names ${given}, which does not exist: correct it, or unset it to search`);
  }
  return given;
}

/** @param {string} program */
function onPath(program) {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, program));
}

/** @param {string[]} paths */
function firstExecutable(paths) {
  return paths.find(isExecutable);
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Folders whose names are numbers, the highest first.
 *
 * @param {string} parent
 * @param {(folder: string) => string} into
 */
function numberedFolders(parent, into) {
  if (statSync(parent, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(parent)
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => Number(b) - Number(a))
    .map((name) => into(join(parent, name)));
}
