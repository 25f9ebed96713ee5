/** The website of an application: a page with the unchanged client libraries, as they are bundled for browsers. */
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { type Authorizer, startAuthorizer } from "../support/authorizer.ts";
import type { Earshot } from "../support/earshot.ts";

export const MASTER_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

const MODULES = join(import.meta.dir, "../../node_modules");
const FILES: Readonly<Record<string, string>> = {
  "/pusher.min.js": join(MODULES, "pusher-js/dist/web/pusher.min.js"),
  "/pusher-with-encryption.min.js": join(MODULES, "pusher-js/dist/web/pusher-with-encryption.min.js"),
  "/echo.iife.js": join(MODULES, "laravel-echo/dist/echo.iife.js"),
  "/driver.js": join(import.meta.dir, "site/driver.js"),
  "/echo-driver.js": join(import.meta.dir, "site/echo-driver.js"),
};

/** Each page: the libraries that it loads, then the script that uses them. */
const PAGES: Readonly<Record<string, string>> = {
  "/": pageOf("<script src=pusher.min.js></script>", "driver.js"),
  "/encrypted": pageOf("<script src=pusher-with-encryption.min.js></script>", "driver.js"),
  "/echo": pageOf(
    "<script src=pusher-with-encryption.min.js></script><script src=echo.iife.js></script>",
    "echo-driver.js",
  ),
};

function pageOf(libraries: string, script: string): string {
  return `<!doctype html><meta charset=utf-8><title>A page</title>${libraries}<script type=module src=${script}></script>`;
}

/** A request that is not for a page or a file; undefined where the application does not know it either. */
export type Answer = (request: Request) => Response | Promise<Response> | undefined;

export interface Site {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** The same pages under another name, which makes them another origin. */
  readonly otherOrigin: string;
  readonly authorizer: Authorizer;
  stop(): Promise<void>;
}

export function startSite(earshot: Earshot, answer: Answer = () => undefined): Site {
  const authorizer = startAuthorizer(earshot, { encryptionMasterKeyBase64: MASTER_KEY });
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      const page = PAGES[pathname];
      if (page !== undefined) return new Response(page, { headers: { "Content-Type": "text/html" } });
      const file = FILES[pathname];
      if (file !== undefined) return new Response(Bun.file(file));
      return answer(request) ?? new Response("Not found", { status: 404 });
    },
  });
  return {
    origin: `http://127.0.0.1:${server.port}`,
    otherOrigin: `http://localhost:${server.port}`,
    authorizer,
    stop: async () => {
      await Promise.all([server.stop(true), authorizer.stop()]);
    },
  };
}

/** How a page's library finds the server and the application. */
export function optionsFor(earshot: Earshot, site: Site, userId = "somebody") {
  const params = { user_id: userId, user_info: JSON.stringify({ name: `Name of ${userId}` }) };
  return {
    wsHost: earshot.host,
    wsPort: earshot.port,
    channelAuthorization: { transport: "ajax" as const, endpoint: site.authorizer.channelEndpoint, params },
  };
}

/** A browser of its own as far as a website can see: another profile, another page. */
export async function openPage(browser: Browser, url: string): Promise<Page> {
  const context: BrowserContext = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url, { waitUntil: "load" });
  return page;
}
