/** Where Bun is inside this project. `packages/server/bin/earshot` follows the same rule. */
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * The path of a Bun binary below `root`, or undefined.
 *
 * The install script of the npm package `bun` puts the binary into the place of a placeholder, a short shell text.
 * Where npm was told to run no install scripts the placeholder stays, and the binary lies in the package of its platform.
 *
 * @param {string} root
 * @returns {string | undefined}
 */
export function findBun(root) {
  const installed = join(root, "node_modules/bun/bin/bun.exe");
  return [installed, ...platformBinaries(root)].find(isBinary);
}

/** @param {string} root */
function platformBinaries(root) {
  const scope = join(root, "node_modules/@oven");
  if (!existsSync(scope)) return [];
  const names = readdirSync(scope).filter((name) => name.startsWith("bun-"));
  // Both kinds may be there, since older npm versions do not look at the C library.
  const ours = names.filter((name) => name.includes("musl") !== hasGlibc());
  return ours.map((name) => join(scope, name, "bin/bun"));
}

function hasGlibc() {
  if (process.platform !== "linux") return true;
  return existsSync("/lib64/ld-linux-x86-64.so.2") || existsSync("/lib/ld-linux-aarch64.so.1");
}

/**
 * Whether a file is a program: neither empty nor the placeholder, which begins with `echo`.
 *
 * @param {string} path
 */
function isBinary(path) {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
  const start = Buffer.alloc(4);
  const file = openSync(path, "r");
  const length = readSync(file, start);
  closeSync(file);
  return length === start.length && start.toString("latin1") !== "echo";
}
