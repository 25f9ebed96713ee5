/** The page at `/` of a server in development mode, in a real browser. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test as tests } from "bun:test";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { publish } from "../support/api.ts";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { withoutSettings } from "../support/environment.ts";
import { until } from "../support/until.ts";
import { chromiumPath, launchChromium } from "./chromium.ts";

const ROOT = join(import.meta.dir, "../..");
const test = tests.skipIf(chromiumPath === undefined);

let browser: Browser;
let earshot: Earshot;
let page: Page;
/** What the browser complained about, such as a refused script. */
let complaints: string[];

beforeAll(async () => {
  if (chromiumPath !== undefined) browser = await launchChromium();
});

afterAll(() => browser?.close());

beforeEach(async () => {
  if (chromiumPath === undefined) return;
  earshot = await startEarshot({ args: ["--dev"] });
  page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  complaints = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
});

afterEach(async () => {
  await page?.close();
  await earshot?.stop();
});

test("connects and says as which socket", async () => {
  await open();
  expect(await text("#connection-state")).toBe("Connected");
  expect(await text("#connection-detail")).toMatch(/^as socket \d+\.\d+$/);
  expect(await text("#subscription")).toBe("Listening to hello");
  expect(complaints).toEqual([]);
});

test("shows the event that its curl command sends", async () => {
  await open();
  expect(await run(await text("#curl"))).toBe("{}");
  await untilCount(1);
  expect(await text("#list .name")).toBe("greeting");
  expect(await text("#list .channel")).toBe("hello");
  expect(await text("#list .data")).toBe('{\n  "text": "Hello from the terminal"\n}');
  expect(await text("#list .time")).toMatch(/^\d\d:\d\d:\d\d\.\d{3}$/);
});

test("shows the event that its trigger command sends", async () => {
  await open();
  await run(await text("#trigger"));
  await untilCount(1);
  expect(await text("#list .data")).toBe('{\n  "text": "Hello from the terminal"\n}');
});

test("puts the newest event on top and counts", async () => {
  await open();
  for (const number of [1, 2, 3]) await publish(earshot, "hello", `event-${number}`, "plain text");
  await untilCount(3);
  expect(await page.locator("#list .name").allTextContents()).toEqual(["event-3", "event-2", "event-1"]);
  expect(await text("#list .data")).toBe("plain text");
  await page.click("#clear");
  expect(await text("#count")).toBe("0");
});

test("shows markup in names and data as text", async () => {
  await open();
  const markup = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>";
  await publish(earshot, "hello", markup, markup);
  await untilCount(1);
  expect(await text("#list .name")).toBe(markup);
  expect(await text("#list .data")).toBe(markup);
  expect(await page.locator("#list img, #list script").count()).toBe(0);
  expect(await page.title()).toBe("Earshot: first light");
  expect(complaints).toEqual([]);
});

test("keeps a bounded list of a busy channel", async () => {
  await open();
  for (let sent = 0; sent < 230; sent++) await publish(earshot, "hello", "tick", String(sent));
  await untilCount(230);
  expect(await page.locator("#list li").count()).toBe(200);
  expect(await text("#count-noun")).toBe("events, the last 200 shown");
});

test("listens to another public channel and sends its commands there", async () => {
  await open();
  await page.fill("#channel", "news.today");
  await page.press("#channel", "Enter");
  await until(
    "the page listens to it",
    async () => (await text("#subscription")) === "Listening to news.today",
  );
  await publish(earshot, "hello", "unheard", "");
  await run(await text("#curl"));
  await untilCount(1);
  expect(await text("#list .channel")).toBe("news.today");
});

test("says why it cannot listen to a private channel, and goes on listening", async () => {
  await open();
  await page.fill("#channel", "private-orders");
  await page.press("#channel", "Enter");
  await until("the page refuses", async () =>
    (await text("#subscription")).includes("choose a public channel"),
  );
  await run(await text("#curl"));
  await untilCount(1);
  expect(await text("#list .channel")).toBe("hello");
});

test("shows the text of a refusal, and comes back when the app does", async () => {
  await open();
  await earshot.updateApp("--enabled", "false");
  await until("the page is refused", async () => (await text("#connection-state")) === "Refused");
  expect(await text("#connection-detail")).toContain("Application disabled");
  await earshot.updateApp("--enabled", "true");
  await until("it listens again", async () => (await text("#subscription")) === "Listening to hello");
});

test("says that the server is away, and listens again when it is back", async () => {
  await open();
  await earshot.stop();
  await until("the page has noticed", async () => (await text("#connection-state")) !== "Connected");
  expect(await text("#subscription")).toBe("Not listening yet to hello");
  await earshot.restart();
  await until("it listens again", async () => (await text("#subscription")) === "Listening to hello", 40_000);
  await run(await text("#curl"));
  await untilCount(1);
});

test("fits a phone without scrolling sideways", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open();
  await publish(earshot, "hello", "a.very.long.name.".repeat(11), "x".repeat(3_000));
  await untilCount(1);
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
});

test("copies a command as it is shown", async () => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await open();
  await page.click("button[data-copies=trigger]");
  await until("the button says so", async () => (await text("button[data-copies=trigger]")) === "Copied");
  expect(await page.evaluate("navigator.clipboard.readText()")).toBe(await text("#trigger"));
});

tests("knows no secret", async () => {
  const server = await startEarshot({ args: ["--dev"] });
  const paths = ["/", "/first-light/page.js", "/first-light/page.css", "/first-light/state/hello"];
  for (const path of paths) {
    const answer = await fetch(server.url + path);
    expect([path, answer.status]).toEqual([path, 200]);
    expect(await answer.text()).not.toContain(server.app.secret);
    expect(answer.headers.get("content-security-policy")).toContain("script-src 'self';");
  }
  await server.stop();
});

tests("is not there in production", async () => {
  const production = await startEarshot();
  for (const path of ["/", "/first-light/page.js", "/first-light/state/hello"]) {
    expect((await fetch(production.url + path)).status).toBe(404);
  }
  await production.stop();
});

async function open(): Promise<void> {
  await page.goto(earshot.url);
  await until("the page listens", async () => (await text("#subscription")).startsWith("Listening to"));
}

async function text(selector: string): Promise<string> {
  return ((await page.locator(selector).first().textContent()) ?? "").trim();
}

function untilCount(count: number): Promise<void> {
  return until(`the page counts ${count}`, async () => (await text("#count")) === String(count));
}

/** Runs a command that the page shows, as a person would in the project's folder. Returns what it prints. */
async function run(command: string): Promise<string> {
  const shell = Bun.spawn(["sh", "-c", command], {
    cwd: ROOT,
    env: withoutSettings(),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([shell.stdout.text(), shell.stderr.text()]);
  if ((await shell.exited) !== 0) throw new Error(`${command}\n${out}${err}`);
  return out;
}
