import { beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { redisProgram, useRedis } from "../../../test/support/redis.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { FakeService, SECRET } from "./testing/fake-service.ts";
import { webhookBody, webhookHeaders } from "./testing/gate-world.ts";
import { ManualTime } from "./testing/manual-time.ts";

const PACKAGE = dirname(import.meta.dir);
const ROOT = join(PACKAGE, "../..");
const CONSUMER = join(PACKAGE, "consumer");
const PACK_MS = 60_000; // on a busy machine

/** Runs a program to its end. @throws with what it said, where it fails */
async function output(command: string[], cwd: string, env: Record<string, string> = {}): Promise<string> {
  const child = Bun.spawn(command, { cwd, env: { ...process.env, ...env }, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (child.exitCode !== 0) throw new Error(`${command.join(" ")}: ${out}${err}`);
  return out;
}

/** A folder with the package as npm would install it, and beside it what its user has installed. */
async function installedPackage(): Promise<string> {
  const folder = temporaryFolder();
  const packed = await output(
    ["npm", "pack", "--json", "--pack-destination", folder, "--loglevel=error"],
    PACKAGE,
  );
  const [{ filename }] = JSON.parse(packed.slice(packed.indexOf("[")));
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, "@earshot/gate"), { recursive: true });
  const into = join(modules, "@earshot/gate");
  await output(["tar", "-xzf", join(folder, filename), "-C", into, "--strip-components=1"], folder);
  for (const name of ["pusher", "ioredis", "redis", "@types"]) {
    symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  }
  cpSync(CONSUMER, folder, { recursive: true });
  return folder;
}

/** The server as the back-end reaches it over HTTP. `announce` lets somebody come to a channel, and tells by a webhook. */
function serve(service: FakeService, time: ManualTime): { url: string; stop: () => void } {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 60,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      const path = pathname.replace("/apps/1", "");
      const params = Object.fromEntries(
        [...searchParams].filter(([name]) => name.startsWith("last") || name.startsWith("filter")),
      );
      if (path === "/occupancy") {
        const body = await service.openStream(path, params, request.signal);
        return new Response(streamOf(body), { headers: { "content-type": "text/event-stream" } });
      }
      const body: Body = Object(await request.json());
      if (path === "/occupancy/position")
        return Response.json(await (await service.post({ path, body })).json());
      if (path === "/announce") {
        const hook = webhookBody(time.wallMs(), [service.announce("a", true)]);
        await fetch(body.hook, { method: "POST", headers: webhookHeaders(hook, SECRET), body: hook });
        return Response.json({});
      }
      for (const channel of body.channels) await service.trigger(channel, body.name, JSON.parse(body.data));
      return Response.json({});
    },
  });
  return { url: server.url.href, stop: () => void server.stop(true) };
}

/** What a back-end posts: an event, or where it hears of announcements. */
interface Body {
  readonly hook: string;
  readonly channels: readonly string[];
  readonly name: string;
  readonly data: string;
}

function streamOf(chunks: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async start(controller) {
      for await (const chunk of chunks) controller.enqueue(new Uint8Array(chunk));
    },
  });
}

describe("the package as it is published", () => {
  const redis = useRedis();
  let folder = "";
  beforeAll(async () => {
    folder = await installedPackage();
  }, PACK_MS);

  test("holds what it needs, and nothing of the repository", () => {
    const inside = readdirSync(join(folder, "node_modules/@earshot/gate"), {
      recursive: true,
      encoding: "utf8",
    });
    expect(inside).toContain("package.json");
    expect(inside).toContain("README.md");
    expect(inside).toContain("dist/LICENSE");
    expect(inside).toContain("dist/index.js");
    expect(inside).toContain("dist/index.cjs");
    expect(inside.filter((file) => file.startsWith("src"))).toEqual([]);
  });

  for (const withRedis of [false, true]) {
    test.skipIf(withRedis && redisProgram === undefined)(
      `runs under Node with ${withRedis ? "ioredis" : "its memory"}, by webhooks and by the stream`,
      async () => {
        const time = new ManualTime();
        const service = new FakeService(time);
        service.skewMs = Date.now() - time.wallMs();
        const { url, stop } = serve(service, time);
        const env = { EARSHOT_URL: url, REDIS_URL: withRedis ? redis.server.url : "" };
        const said = JSON.parse(await output(["node", "back-end.mjs"], folder, env));
        stop();
        expect(said).toEqual({
          node: expect.stringMatching(/^\d+\./),
          isBun: false,
          absent: false,
          arrived: "a",
          member: true,
          counters: { sent: 2, saved: 0, caughtUp: 1, failedOpen: 0 },
          tooLong: 413,
          ...(withRedis ? { set: ["a"] } : {}),
          fromStream: [true, false],
          refused: "options_invalid",
        });
        expect(service.heard("a")).toEqual([{ seq: 1 }, { seq: 2 }, { seq: 3 }]);
      },
      PACK_MS,
    );
  }

  test("can be required", async () => {
    expect(await output(["node", "required.cjs"], folder)).toBe("function function\n");
  });

  test(
    "its types are right for modules and for CommonJS, checked strictly",
    async () => {
      const options = {
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        noEmit: true,
        target: "es2022",
        module: "nodenext",
        skipLibCheck: false,
        types: ["node"],
      };
      cpSync(join(folder, "types.ts"), join(folder, "types.cts"));
      cpSync(join(folder, "types.ts"), join(folder, "types.mts"));
      const config = { compilerOptions: options, files: ["types.cts", "types.mts"] };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
      await output([join(ROOT, "node_modules/.bin/tsc"), "-p", "."], folder);
    },
    PACK_MS,
  );
});
