/** Whether node_modules holds what package-lock.json says. Nothing is remembered: the folders themselves are compared. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * @typedef {object} LockedPackage
 * @property {string} [version]
 * @property {boolean} [link] a workspace
 * @property {Record<string, string>} [optionalDependencies]
 * @property {boolean} [optional] for some other platform, perhaps
 * @property {string} [resolved]
 */

/**
 * What package-lock.json says of each folder.
 *
 * @param {string} root
 * @returns {[folder: string, locked: LockedPackage][]}
 */
export function lockedPackages(root) {
  return Object.entries(JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages);
}

/**
 * Why node_modules has to be installed, or undefined if it is complete and up to date.
 *
 * npm writes node_modules/.package-lock.json when it has finished, and not before: a package folder that is newer
 * belongs to an install that was interrupted.
 *
 * @param {string} root
 * @returns {string | undefined}
 */
export function reasonToInstall(root) {
  const finished = statSync(join(root, "node_modules/.package-lock.json"), { throwIfNoEntry: false });
  if (finished === undefined) return "node_modules is missing or incomplete";
  for (const [folder, locked] of lockedPackages(root)) {
    if (!folder.startsWith("node_modules/") || locked.optional === true) continue;
    const path = join(root, folder);
    const installed = statSync(path, { throwIfNoEntry: false });
    if (installed === undefined) return `${folder} is missing`;
    if (locked.link === true) continue;
    if (installed.mtimeMs > finished.mtimeMs) return `${folder} was changed after the last finished install`;
    const version = installedVersion(path);
    if (version !== locked.version)
      return `${folder} is ${version ?? "broken"} and should be ${locked.version}`;
  }
  return undefined;
}

/**
 * @param {string} path
 * @returns {string | undefined}
 */
function installedVersion(path) {
  try {
    return JSON.parse(readFileSync(join(path, "package.json"), "utf8")).version;
  } catch {
    return undefined; // An unreadable package is a reason to install, whatever made it unreadable.
  }
}
