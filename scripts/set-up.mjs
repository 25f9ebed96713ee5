/**
 * Installs what is missing and says so; does nothing, quickly, where nothing is.
 *
 *     node scripts/set-up.mjs             the npm packages, Bun among them
 *     node scripts/set-up.mjs --tests     also the programs that tests need
 *     node scripts/set-up.mjs --bun       prints the path of Bun, alone on standard output
 */
import { spawnSync } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findBun } from "./bun.mjs";
import { reasonToInstall } from "./packages.mjs";
import { findProgram, PROGRAM_NAMES, PROGRAMS } from "./programs.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const OLDEST_NODE_MAJOR = 20; // package.json, engines
const APT_LOCK_WAIT_SECONDS = 300; // ours: another installation on the machine is usually done by then
const LOCK_POLL_MS = 500; // ours
const APT_RETRY_AFTER_MS = 3000; // ours

try {
  const bun = setUpPackages();
  if (process.argv.includes("--tests")) setUpPrograms();
  if (process.argv.includes("--bun")) process.stdout.write(`${bun}\n`);
} catch (error) {
  say(`Set-up: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

function setUpPackages() {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE_MAJOR) {
    throw new Error(`Earshot needs Node ${OLDEST_NODE_MAJOR} or newer, and this is ${process.version}`);
  }
  if (reasonToInstall(ROOT) !== undefined) withLock(installPackages);
  const bun = findBun(ROOT) ?? withLock(reinstallForBun);
  const { status, error, signal, stderr } = spawnSync(bun, ["--version"], { encoding: "utf8" });
  if (status === 0) return bun;
  const cause =
    error?.message || stderr?.trim() || (signal ? `it ended with ${signal}` : `exit code ${status}`);
  throw new Error(`${bun} does not run on this machine: ${cause}`);
}

/** Installs the programs that the tests of this tree need; where that cannot be done, says which are missing. */
function setUpPrograms() {
  const missing = missingPrograms();
  if (missing.length > 0 && canUseApt()) aptInstall(missing.map((name) => PROGRAMS[name].aptPackage));
  for (const name of missingPrograms()) {
    const { aptPackage, neededBy, variable } = PROGRAMS[name];
    say(
      `Missing: ${aptPackage}. Install the package ${aptPackage} or set ${variable};` +
        ` until then those tests in ${neededBy} that need it are skipped.`,
    );
  }
}

/** The programs that tests of this tree need, that are not here, and that nobody has ruled out by an empty variable. */
function missingPrograms() {
  return PROGRAM_NAMES.filter((name) => {
    const { neededBy, variable } = PROGRAMS[name];
    const isNeeded = existsSync(join(ROOT, neededBy)) && process.env[variable] !== "";
    return isNeeded && findProgram(name) === undefined;
  });
}

function installPackages() {
  const reason = reasonToInstall(ROOT);
  if (reason === undefined) return; // Another set-up did it while this one waited.
  npmCi(reason);
  const remaining = reasonToInstall(ROOT);
  if (remaining !== undefined) {
    throw new Error(`after npm ci, ${remaining}: delete node_modules and try again`);
  }
}

function reinstallForBun() {
  if (findBun(ROOT) === undefined) npmCi("Bun's binary is missing");
  const bun = findBun(ROOT);
  if (bun !== undefined) return bun;
  throw new Error(
    `npm ci installed no Bun for ${process.platform} ${process.arch}: its binary is in an optional dependency,` +
      " so npm's setting omit must not name optional",
  );
}

/** @param {string} reason */
function npmCi(reason) {
  say(`Installing the npm packages of package-lock.json (npm ci): ${reason}.`);
  const { status, error } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: ROOT,
    stdio: ["ignore", 2, 2], // Standard output stays free for what the person asked for.
  });
  if (error !== undefined) throw new Error(`npm cannot be started (${error.message}): install npm`);
  if (status !== 0) throw new Error("npm ci failed, for the reason above");
}

/**
 * Runs `work` while no other set-up of this tree does: two `npm ci` at once leave a broken node_modules.
 *
 * @template T
 * @param {() => T} work
 * @returns {T}
 */
function withLock(work) {
  const lock = join(ROOT, ".cache/set-up.lock");
  mkdirSync(dirname(lock), { recursive: true });
  for (let isWaiting = false; !takeLock(lock); isWaiting = true) {
    if (!isWaiting) say("Waiting for another set-up of this folder to finish.");
    sleep(LOCK_POLL_MS);
  }
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/**
 * Takes the lock, or clears it away if its owner was killed. The lock appears with its owner's id in it, at once.
 *
 * @param {string} lock
 */
function takeLock(lock) {
  const mine = `${lock}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  try {
    linkSync(mine, lock);
    return true;
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  } finally {
    rmSync(mine);
  }
  if (!isAlive(lock)) rmSync(lock, { force: true });
  return false;
}

/** @param {string} lock */
function isAlive(lock) {
  try {
    process.kill(Number(readFileSync(lock, "utf8")), 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM"; // Somebody else's process lives; ENOENT: the lock was given back just now.
  }
}

/**
 * @param {unknown} error
 * @returns {unknown}
 */
function errorCode(error) {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function canUseApt() {
  return process.getuid?.() === 0 && existsSync("/etc/debian_version") && existsSync("/usr/bin/apt-get");
}

/** @param {string[]} packages */
function aptInstall(packages) {
  say(`Installing for the tests (apt-get): ${packages.join(", ")}.`);
  const attempt = () =>
    aptGet(["update"]) && aptGet(["install", "-y", "--no-install-recommends", ...packages]);
  if (attempt()) return;
  say("apt-get failed; trying once more.");
  sleep(APT_RETRY_AFTER_MS);
  attempt();
}

/** @param {string[]} args */
function aptGet(args) {
  const { status, stdout, stderr } = spawnSync(
    "/usr/bin/apt-get",
    ["-qq", "-o", `DPkg::Lock::Timeout=${APT_LOCK_WAIT_SECONDS}`, ...args],
    {
      encoding: "utf8",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      maxBuffer: 64 * 1024 * 1024, // bytes; ours: far above what apt-get says
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  if (status !== 0) process.stderr.write(`${stdout}${stderr}`);
  return status === 0;
}

/** @param {number} ms */
function sleep(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** @param {string} line */
function say(line) {
  process.stderr.write(`${line}\n`);
}
