import { expect, test } from "bun:test";
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

const ROOT = dirname(import.meta.dir);
const SERVER = "packages/server/src";
const PROTOCOL = "packages/protocol/src";
const GATE = "packages/gate/src";

/** The rooms of the server, and which others each may see through a name such as `#store/apps`. */
const ROOMS: Record<string, readonly string[]> = {
  core: [],
  config: ["observe"],
  observe: ["config"],
  cluster: ["config", "observe"],
  store: ["config", "observe"],
  webhooks: ["config", "observe"],
  transport: ["core", "config", "observe"],
  dashboard: ["core", "config", "observe"],
  cli: ["core", "config", "observe", "cluster", "store", "webhooks", "transport", "dashboard"],
};
const NAMES = Object.keys(ROOMS);
const WITHOUT_CORE = NAMES.filter((room) => room !== "core");
const BELOW_SERVER = NAMES.filter((room) => room !== "cli");

/** One file with one import, at a place of the tree. */
interface Probe {
  place: string;
  code: string;
}

function importing(place: string, ...specifiers: string[]): Probe[] {
  return specifiers.map((specifier) => ({ place, code: `import "${specifier}";\n` }));
}

/** Every name of another room, seen (`isSeen`) or not. */
function names(isSeen: boolean): Probe[] {
  return Object.entries(ROOMS).flatMap(([room, sees]) => {
    const others = NAMES.filter((other) => other !== room && sees.includes(other) === isSeen);
    return importing(`${SERVER}/${room}/x.ts`, ...others.map((other) => `#${other}/x`));
  });
}

/** Climbing into another room is refused even to those who may see it: its name is the door that a reader sees. */
const climbs = NAMES.flatMap((room) =>
  NAMES.filter((other) => other !== room).flatMap((other) => [
    ...importing(`${SERVER}/${room}/x.ts`, `../${other}/x.ts`),
    ...importing(`${SERVER}/${room}/inner/x.ts`, `../../${other}/x.ts`),
  ]),
);

const REFUSED: Probe[] = [
  ...names(false),
  ...climbs,
  ...importing(
    `${PROTOCOL}/x.ts`,
    "node:fs",
    "bun",
    "bun:sqlite",
    "pino",
    "#core/app",
    "../../server/src/core/app.ts",
  ),
  ...importing(`${PROTOCOL}/x.test.ts`, "pino", "#core/app"),
  ...importing(`${PROTOCOL}/testing/x.ts`, "pino", "../../server/src/core/app.ts"),
  ...importing(
    `${SERVER}/core/x.ts`,
    "node:fs",
    "bun",
    "bun:sqlite",
    "pino",
    "../server.ts",
    "@earshot/gate/gate",
  ),
  ...importing(`${SERVER}/core/x.test.ts`, "pino", "#store/x", "#cluster/redis/bus", "../server.ts"),
  ...importing(`${SERVER}/core/testing/x.ts`, "pino", "#store/x", "../../server.ts", "../../store/x.ts"),
  ...BELOW_SERVER.flatMap((room) =>
    importing(`${SERVER}/${room}/x.ts`, "../server.ts", "@earshot/gate/gate"),
  ),
  ...NAMES.flatMap((room) => importing(`${SERVER}/${room}/inner/x.ts`, "../../../../protocol/src/limits.ts")),
  ...["config", "observe", "cluster", "store", "webhooks"].flatMap((room) =>
    importing(`${SERVER}/${room}/x.ts`, "#core/session"),
  ),
  ...["transport", "dashboard"].flatMap((room) => importing(`${SERVER}/${room}/x.ts`, "bun:sqlite")),
  ...importing(
    `${SERVER}/x.ts`,
    "#cli/main",
    "./core/app.ts",
    "../../protocol/src/limits.ts",
    "@earshot/gate/gate",
  ),
  ...importing(
    `${GATE}/x.ts`,
    "bun",
    "bun:sqlite",
    "pusher",
    "ioredis",
    "redis",
    "#core/ports",
    "@earshot/server/server",
    "../../server/src/core/app.ts",
    "../../protocol/src/limits.ts",
  ),
  ...importing(`${GATE}/redis/x.ts`, "ioredis", "../../../server/src/core/app.ts"),
  ...importing(`${GATE}/x.test.ts`, "#core/ports", "@earshot/server/server"),
  // Other ways to import.
  ...[
    `export { x } from "#store/x";\n`,
    `export * from "#store/x";\n`,
    `import type { X } from "#store/x";\nexport type Y = X;\n`,
    `export const x = await import("#store/x");\n`,
  ].map((code) => ({ place: `${SERVER}/transport/x.ts`, code })),
];

const ALLOWED: Probe[] = [
  ...names(true),
  ...importing(`${PROTOCOL}/x.ts`, "./limits.ts"),
  ...importing(
    `${PROTOCOL}/x.test.ts`,
    "./limits.ts",
    "bun:test",
    "fast-check",
    "node:fs",
    "node:fs/promises",
  ),
  ...importing(`${PROTOCOL}/testing/x.ts`, "../limits.ts", "./own.ts", "node:fs", "bun:test"),
  ...importing(`${GATE}/x.ts`, "./time.ts", "./redis/keys.ts", "@earshot/protocol/channel", "node:os"),
  ...importing(`${GATE}/redis/x.ts`, "../store.ts", "./keys.ts", "./offer.lua", "node:crypto"),
  ...importing(
    `${GATE}/redis/x.test.ts`,
    "../testing/manual-time.ts",
    "pusher",
    "ioredis",
    "redis",
    "bun:test",
  ),
  ...importing(`${SERVER}/core/x.ts`, "./app.ts", "@earshot/protocol/limits"),
  ...importing(`${SERVER}/core/x.test.ts`, "./app.ts", "./testing/world.ts", "bun:test", "node:fs/promises"),
  ...importing(
    `${SERVER}/core/testing/x.ts`,
    "../app.ts",
    "./own.ts",
    "#core/app",
    "#cluster/local/bus",
    "bun:test",
  ),
  ...WITHOUT_CORE.flatMap((room) => [
    ...importing(`${SERVER}/${room}/x.ts`, "./own.ts", "./inner/own.ts", "node:fs", "bun", "bun:test"),
    ...importing(`${SERVER}/${room}/x.ts`, "#core/ports", "#core/app", "@earshot/protocol/limits"),
    ...importing(`${SERVER}/${room}/inner/x.ts`, "../own.ts"),
  ]),
  ...["cluster", "store", "webhooks"].flatMap((room) => importing(`${SERVER}/${room}/x.ts`, "bun:sqlite")),
  ...importing(
    `${SERVER}/webhooks/x.ts`,
    "#core/lane",
    "#core/webhook-filter",
    "#core/answer",
    "#core/testing/x",
  ),
  ...importing(`${SERVER}/x.ts`, "@earshot/protocol/limits", ...BELOW_SERVER.map((room) => `#${room}/x`)),
  ...importing(`${SERVER}/cli/x.ts`, "../server.ts"),
];

/** The probes that Biome refuses under the repository's own configuration, in a tree outside the repository. */
function refusedOf(probes: Probe[]): Probe[] {
  const tree = mkdtempSync(join(tmpdir(), "earshot-doors-"));
  try {
    copyFileSync(join(ROOT, "biome.json"), join(tree, "biome.json"));
    const files = probes.map(({ place, code }, index) => {
      const file = place.replace(/x(?=(\.test)?\.ts$)/, `probe-${index}`);
      mkdirSync(dirname(join(tree, file)), { recursive: true });
      writeFileSync(join(tree, file), code);
      return file;
    });
    const { stdout } = Bun.spawnSync(
      [
        join(ROOT, "node_modules/.bin/biome"),
        "lint",
        "--only=style/noRestrictedImports",
        "--reporter=json",
        "--max-diagnostics=none",
        ".",
      ],
      { cwd: tree },
    );
    const report: { diagnostics: { location: { path: string } }[] } = JSON.parse(stdout.toString());
    const refused = new Set(report.diagnostics.map(({ location }) => location.path));
    return probes.filter((_, index) => refused.has(files[index] ?? ""));
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

test("the wrong doors are refused", () => {
  const refused = new Set(refusedOf(REFUSED));
  expect(REFUSED.filter((probe) => !refused.has(probe))).toEqual([]);
});

test("the right doors are open", () => {
  expect(refusedOf(ALLOWED)).toEqual([]);
});

test("every folder of the server is a room with doors", () => {
  const folders = readdirSync(join(ROOT, SERVER), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  expect(folders.map(({ name }) => name).filter((name) => !NAMES.includes(name))).toEqual([]);
});

/** The files that make up the program, without tests and what supports them. */
function productFiles(): string[] {
  const files = [...new Bun.Glob("packages/*/src/**/*.ts").scanSync({ cwd: ROOT })];
  return files.filter((file) => !/\.test\.ts$|\/testing\/|\/cluster\/conformance\//.test(file));
}

function productFilesWith(pattern: RegExp): string[] {
  return productFiles().filter((file) => pattern.test(readFileSync(join(ROOT, file), "utf8")));
}

test("the program imports nothing that supports its tests", () => {
  expect(productFilesWith(/\b(?:from|import)\b[\s(]*["'][^"']*(?:\/testing\/|\/test\/|bun:test)/)).toEqual(
    [],
  );
});

test("the program switches no door off", () => {
  expect(productFilesWith(/biome-ignore[^\n]*noRestrictedImports/)).toEqual([]);
});

test("no type is imported by an expression, which the lint rule does not see", () => {
  expect(productFilesWith(/\bimport\(\s*(?:`|["'][^"']*["']\s*\)\s*\.\s*[A-Z])/)).toEqual([]);
});
