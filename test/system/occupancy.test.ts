/** What the program announces, by what it has written down to be told. */
import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { callApi } from "../support/api.ts";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import {
  announced,
  announcements,
  arrive,
  everythingIsAnnounced,
  logOf,
  subscribeAs,
} from "../support/occupancy.ts";
import { twentieth } from "../support/twentieth.ts";
import { until } from "../support/until.ts";

const COMINGS = ["channel_occupied news", "channel_occupied presence-room", "member_added presence-room u-7"];
const CHANNELS = ["news", "presence-room"];

let earshot: Earshot | undefined;

afterEach(() => earshot?.kill());

async function start(): Promise<Earshot> {
  earshot = await startEarshot({ args: twentieth() });
  return earshot;
}

test("a page that is loaded again within the delay announces nothing", async () => {
  const server = await start();
  const page = await arrive(server, CHANNELS);
  await announced(server, ...COMINGS);
  page.close();
  await page.closed;
  await arrive(server, CHANNELS);
  await everythingIsAnnounced(server);
  expect(announcements(server)).toEqual(COMINGS);
});

test("neither does a connection that was cut, nor an unsubscribe with a subscribe after it", async () => {
  const server = await start();
  const page = await arrive(server, CHANNELS);
  await announced(server, ...COMINGS);
  page.kill();
  const again = await arrive(server, CHANNELS);
  for (const channel of CHANNELS) again.send({ event: "pusher:unsubscribe", data: { channel } });
  for (const channel of CHANNELS) await subscribeAs(again, channel);
  await everythingIsAnnounced(server);
  expect(announcements(server)).toEqual(COMINGS);
});

test("a user's second device is not announced, and neither is the end of the first", async () => {
  const server = await start();
  const first = await arrive(server, ["presence-room"], "u-7");
  await announced(server, "channel_occupied presence-room", "member_added presence-room u-7");
  await arrive(server, ["presence-room"], "u-7");
  first.close();
  await first.closed;
  await everythingIsAnnounced(server);
  expect(announcements(server)).toHaveLength(2);
});

test("the last member is announced gone before the channel", async () => {
  const server = await start();
  const one = await arrive(server, ["presence-room"], "u-1");
  const other = await arrive(server, ["presence-room"], "u-2");
  await until("all have come", () => announcements(server).length === 3);
  one.close();
  other.close();
  await until("all have gone", () => announcements(server).length === 6);
  const [occupied, ...rest] = announcements(server);
  expect(occupied).toBe("channel_occupied presence-room");
  expect(rest.at(-1)).toBe("channel_vacated presence-room");
});

test("the channels of the protocol itself are announced to nobody", async () => {
  const server = await start();
  const client = await arrive(server, ["news"]);
  const userData = JSON.stringify({ id: "u-7" });
  const { key, secret } = server.app;
  const signature = new Bun.CryptoHasher("sha256", secret)
    .update(`${client.socketId}::user::${userData}`)
    .digest("hex");
  client.send({ event: "pusher:signin", data: { auth: `${key}:${signature}`, user_data: userData } });
  await client.next("pusher:signin_success");
  await everythingIsAnnounced(server);
  expect(announcements(server)).toEqual(["channel_occupied news"]);
});

test("versions only grow, over restarts too", async () => {
  const server = await start();
  await arrive(server, CHANNELS);
  await announced(server, ...COMINGS);
  await server.kill();
  await server.restart();
  await arrive(server, ["sport"]);
  await everythingIsAnnounced(server);
  const versions = logOf(server).map(({ version }) => version);
  expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
  expect(Math.max(...versions)).toBeLessThan(Number.MAX_SAFE_INTEGER);
});

test("while another process holds the outbox subscribes go on, and afterwards everything is announced", async () => {
  const server = await start();
  const early = await arrive(server, ["early"]);
  await announced(server, "channel_occupied early");
  const holder = new Database(join(server.dataDir, "outbox.db"));
  holder.run("BEGIN IMMEDIATE");
  await arrive(server, CHANNELS);
  await until("the server says that it is not ready", async () => (await ready(server)).status === 503);
  expect((await ready(server)).text).toMatch(/outbox/);
  const passing = await arrive(server, ["passing"]);
  passing.close();
  early.close();
  expect((await callApi(server, "GET", "/channels")).status).toBe(200);
  expect(announcements(server)).toEqual(["channel_occupied early"]);

  holder.run("COMMIT");
  holder.close();
  await until("the server is ready", async () => (await ready(server)).status === 200);
  await everythingIsAnnounced(server);
  expect(announcements(server).toSorted()).toEqual(
    ["channel_occupied early", ...COMINGS, "channel_vacated early"].toSorted(),
  );
});

async function ready({ url }: Earshot): Promise<{ status: number; text: string }> {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, text: await response.text() };
}
