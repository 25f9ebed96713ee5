/**
 * Builds the package for those who do not run TypeScript: dist/index.js for `import`, dist/index.cjs for `require`, with the
 * protocol and the Lua scripts inside, and their types. `npm pack` and `npm publish` call it.
 */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findBun } from "../../scripts/bun.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(dirname(HERE));
const DIST = join(HERE, "dist");

rmSync(DIST, { recursive: true, force: true });
bundle("esm", "index.js");
bundle("cjs", "index.cjs");
writeTypes();
copyFileSync(join(ROOT, "LICENSE"), join(DIST, "LICENSE"));

/**
 * @param {"esm" | "cjs"} format
 * @param {string} name
 */
function bundle(format, name) {
  const source = join(HERE, "src/index.ts");
  run(findBun(ROOT) ?? "bun", [
    "build",
    "--target=node",
    `--format=${format}`,
    source,
    `--outfile=${join(DIST, name)}`,
  ]);
}

/** The types once for each kind of module, since a file's ending says which kind it is. */
function writeTypes() {
  const folder = mkdtempSync(join(tmpdir(), "earshot-gate-types-"));
  try {
    const emit = [
      "--noEmit",
      "false",
      "--declaration",
      "--emitDeclarationOnly",
      "--rootDir",
      join(ROOT, "packages"),
    ];
    run(join(ROOT, "node_modules/.bin/tsc"), ["-p", HERE, ...emit, "--outDir", folder]);
    const emitted = join(folder, "gate/src");
    for (const file of readdirSync(emitted, { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".d.ts")) continue;
      const text = readFileSync(join(emitted, file), "utf8");
      const target = join(DIST, "types", file);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, text.replace(/(from "\.[^"]*)\.ts"/g, '$1.js"'));
      writeFileSync(target.replace(/\.ts$/, ".cts"), text.replace(/(from "\.[^"]*)\.ts"/g, '$1.cjs"'));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} program
 * @param {string[]} args
 */
function run(program, args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: ROOT, encoding: "utf8" });
  if (status === 0) return;
  throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? ""}${stdout ?? ""}${stderr ?? ""}`);
}
