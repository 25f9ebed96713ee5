import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeDataFolder, ownDataFolder, serverUrl } from "./folder.ts";
import { Refused } from "./refused.ts";

const folders: string[] = [];
const owners: Bun.Subprocess[] = [];

afterEach(() => {
  for (const child of owners.splice(0)) child.kill("SIGKILL");
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), "earshot-folder-"));
  folders.push(folder);
  return join(folder, "deep", "data");
}

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(Refused);
    return error instanceof Error ? error.message : "";
  }
  throw new Error("it was not refused");
}

/** Another process that owns the folder until it is killed. */
async function owner(path: string) {
  const code = `
    import { ownDataFolder } from ${JSON.stringify(import.meta.resolve("./folder.ts"))};
    ownDataFolder(process.argv[1]).announce("http://127.0.0.1:6001");
    Bun.gc(true); // a lock that is not held on to would go
    console.log("owned");
    for await (const _ of Bun.stdin.stream()); // ends with these tests, however they end`;
  const child = Bun.spawn([process.execPath, "-e", code, path], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  owners.push(child);
  for await (const _ of child.stdout) break;
  return child;
}

test("the folder is made for its owner only, with the process id inside", () => {
  const path = newPath();
  const folder = ownDataFolder(path);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(readFileSync(join(path, "earshot.pid"), "utf8")).toBe(`${process.pid}\n`);
  folder.release();
  expect(existsSync(join(path, "earshot.pid"))).toBe(false);
});

test("the announced address is found until the folder is released", () => {
  const path = newPath();
  const folder = ownDataFolder(path);
  expect(serverUrl(path)).toBeUndefined();
  folder.announce("http://127.0.0.1:6001");
  expect(serverUrl(path)).toBe("http://127.0.0.1:6001");
  folder.release();
  folder.release();
  expect(serverUrl(path)).toBeUndefined();
});

test("a second owner is refused in one line that names the folder and the process", async () => {
  const path = newPath();
  const first = await owner(path);
  const text = `The data folder ${path} belongs to a running Earshot (process ${first.pid}): stop that one, or give this one another folder with --data.`;
  expect(refusal(() => ownDataFolder(path))).toBe(text);
  expect(refusal(() => ownDataFolder(path))).toBe(text);
  first.kill("SIGKILL");
  await first.exited;
});

test("the lock of an owner that was killed is free, and its address is forgotten", async () => {
  const path = newPath();
  const first = await owner(path);
  expect(serverUrl(path)).toBe("http://127.0.0.1:6001");
  first.kill("SIGKILL");
  await first.exited;
  const folder = ownDataFolder(path);
  expect(serverUrl(path)).toBeUndefined();
  expect(readFileSync(join(path, "earshot.pid"), "utf8")).toBe(`${process.pid}\n`);
  folder.release();
});

test("a second owner in the same process is refused, and does not loosen the lock", async () => {
  const path = newPath();
  const folder = ownDataFolder(path);
  expect(refusal(() => ownDataFolder(path))).toContain(`(process ${process.pid})`);
  const code = `
    import { ownDataFolder } from ${JSON.stringify(import.meta.resolve("./folder.ts"))};
    try { ownDataFolder(process.argv[1]); console.log("owned"); } catch (error) { console.log(error.name); }`;
  const other = Bun.spawn([process.execPath, "-e", code, path], { stdout: "pipe" });
  expect((await new Response(other.stdout).text()).trim()).toBe("Refused");
  folder.release();
});

test("a folder that cannot be made or written is refused in one line", async () => {
  const path = newPath();
  makeDataFolder(path);
  await Bun.write(join(path, "file"), "");
  for (const wrong of [join(path, "file"), join(path, "file", "data"), "/proc/earshot"]) {
    const text = refusal(() => ownDataFolder(wrong));
    expect(text).toStartWith(`The data folder ${wrong} cannot be written (`);
    expect(text).toEndWith(
      "make it writable for this user, make room on its disk, or name another with --data.",
    );
    expect(text).not.toContain("\n");
  }
});
