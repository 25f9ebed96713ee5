import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { until } from "../../../../test/support/until.ts";
import { OK, sending } from "./testing/sending.ts";

const { rawReceiver } = sending();
const SERVER = dirname(dirname(import.meta.dir));

let folder = "";
/** The launcher, with another program in the place of the server's. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-fairness-"));
  const program = new URL("./testing/many-hang.ts", import.meta.url).pathname;
  mkdirSync(join(folder, "src/cli"), { recursive: true });
  cpSync(join(SERVER, "bin"), join(folder, "bin"), { recursive: true });
  symlinkSync(join(dirname(dirname(SERVER)), "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "src/cli/main.ts"), `await import(${JSON.stringify(program)});\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("300 requests to a receiver that hangs do not hold up the one to another", async () => {
  const hanging = await rawReceiver(() => undefined);
  const healthy = await rawReceiver((socket) => socket.write(OK));
  const { BUN_CONFIG_MAX_HTTP_REQUESTS: _, ...env } = process.env;
  const program = Bun.spawn([join(folder, "bin/earshot"), String(hanging.port), String(healthy.port)], {
    env,
    stdout: "pipe",
    stderr: "inherit",
  });
  const said: unknown = await new Response(program.stdout).json();
  expect(said).toMatchObject({ answered: true, status: 200 });
  expect(await program.exited).toBe(0);
  await until("all have arrived", () => hanging.seen.connections === 300);
});
