import { expect, test } from "bun:test";
import manifest from "../../package.json" with { type: "json" };
import { useFolders } from "./testing/folders.ts";
import { run } from "./testing/person.ts";
import { OVERVIEW, USAGES } from "./usage.ts";

const newFolder = useFolders();

test("an unknown command is refused with the nearest known one", async () => {
  expect(await run(["sevre"])).toEqual({
    code: 1,
    out: "",
    err: `There is no command "earshot sevre". Did you mean serve? See "earshot help".`,
  });
  expect(await run(["apps", "rotate-keys", "7"])).toEqual({
    code: 1,
    out: "",
    err: `There is no command "earshot apps rotate-keys". Did you mean rotate-key? See "earshot help apps".`,
  });
  expect((await run(["constructor"])).code).toBe(1);
  expect((await run(["apps", "toString"])).code).toBe(1);
});

test("no command at all says which there are", async () => {
  for (const args of [[], ["apps"], ["config"], ["apps", "--json"]]) {
    const { code, out, err } = await run(args);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("needs to know what to do: ");
  }
});

test("help tells about each command, in three ways", async () => {
  expect(await run(["help"])).toEqual({ code: 0, out: OVERVIEW, err: "" });
  expect(await run(["--help"])).toEqual({ code: 0, out: OVERVIEW, err: "" });
  for (const [command, usage] of Object.entries(USAGES)) {
    expect(await run(["help", command])).toEqual({ code: 0, out: usage, err: "" });
    expect(await run([command, "--help"])).toEqual({ code: 0, out: usage, err: "" });
  }
  expect((await run(["help", "sevre"])).code).toBe(1);
});

test("version is that of the package", async () => {
  expect(await run(["version"])).toEqual({ code: 0, out: manifest.version, err: "" });
  expect(await run(["--version"])).toEqual({ code: 0, out: manifest.version, err: "" });
});

test("a mistake is told in one line, without a stack, with exit code 1", async () => {
  const folder = newFolder();
  await Bun.write(`${folder}/broken/earshot.db`, "not a database ".repeat(100));
  const mistakes = [
    ["apps", "list", "--data", `${folder}/none`],
    ["apps", "list", "--data", `${folder}/broken`],
    ["apps", "list", "--database", "postgres://u:swordfish@127.0.0.1:1/x"],
    ["apps", "create", "--data", `${folder}/broken/earshot.db`],
    ["apps", "list", "--prot", "7"],
    ["tail", "--data", folder],
    ["tail", "--url", "ws://127.0.0.1:1", "--app", "1:2:3"],
    ["tail", "--url", "http://127.0.0.1:1", "--app", "1:2:3"],
    ["trigger", "a", "b"],
    ["trigger", "a", "b", "c", "--url", "http://127.0.0.1:1", "--app", "1:2"],
    ["config", "check", "--port", "http"],
  ];
  for (const args of mistakes) {
    const { code, out, err } = await run(args);
    expect({ args, code, out }).toEqual({ args, code: 1, out: "" });
    expect(err).toMatch(/^[^\n]+\.$/);
    expect(err).not.toMatch(/swordfish|Something unexpected/);
  }
});
