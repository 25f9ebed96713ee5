/** npm run check: types, format and lint with the import doors, unused code, the lock file. All run; one failure fails. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { lockedPackages } from "./packages.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const setUp = spawnSync(process.execPath, [join(ROOT, "scripts/set-up.mjs")], { stdio: "inherit" });
if (setUp.status !== 0) process.exit(1);

const CHECKS = [
  { name: "lock file", isGood: isLockFilePortable },
  ...typePrograms().map((folder) => ({
    name: `types of ${folder}`,
    isGood: () => tool("tsc", "-p", folder),
  })),
  {
    name: "format and lint",
    isGood: () => tool("biome", "check", "--error-on-warnings", "--max-diagnostics=200"),
  },
  { name: "unused code", isGood: () => tool("knip", "--no-progress") },
];

const results = CHECKS.map(({ name, isGood }) => {
  const startedMs = Date.now();
  const good = isGood();
  return {
    good,
    line: `${good ? "ok    " : "FAILED"}  ${name} (${((Date.now() - startedMs) / 1000).toFixed(1)} s)`,
  };
});
for (const { line } of results) console.log(line);
if (results.some(({ good }) => !good)) process.exitCode = 1;

/**
 * The lock file is the same on every machine: it names no registry (.npmrc keeps addresses out; a workspace's `resolved`
 * is its folder), and it lists the packages of every platform, without which `npm ci` refuses it.
 */
function isLockFilePortable() {
  const packages = lockedPackages(ROOT);
  const folders = new Set(packages.map(([folder]) => folder));
  const addressed = packages.filter(([, { link, resolved }]) => resolved !== undefined && link !== true);
  const unlisted = packages.flatMap(([folder, { optionalDependencies }]) =>
    Object.keys(optionalDependencies ?? {}).filter(
      (name) => !folders.has(`${folder}/node_modules/${name}`) && !folders.has(`node_modules/${name}`),
    ),
  );
  for (const [folder] of addressed)
    console.log(`package-lock.json: "resolved" of ${folder} is an address; remove it`);
  for (const name of unlisted)
    console.log(`package-lock.json: the optional package ${name} has no entry; npm ci fails`);
  return addressed.length === 0 && unlisted.length === 0;
}

/**
 * The folders with a tsconfig.json: the root, and each folder that needs types of its own, such as a browser's.
 *
 * @param {string} folder
 * @returns {string[]}
 */
function typePrograms(folder = ".") {
  const entries = readdirSync(join(ROOT, folder), { withFileTypes: true });
  const inside = entries
    .filter((entry) => entry.isDirectory() && entry.name !== "node_modules" && !entry.name.startsWith("."))
    .flatMap((entry) => typePrograms(join(folder, entry.name)));
  return entries.some(({ name }) => name === "tsconfig.json") ? [folder, ...inside] : inside;
}

/**
 * @param {string} name
 * @param {...string} args
 */
function tool(name, ...args) {
  const { status } = spawnSync(join(ROOT, "node_modules/.bin", name), args, { cwd: ROOT, stdio: "inherit" });
  return status === 0;
}
