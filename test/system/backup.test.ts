/** A copy of the data folder, taken while the server runs, is a server that knows what was announced, and settles. */
import { afterEach, expect, test } from "bun:test";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { pusherFor } from "../support/authorizer.ts";
import { type Earshot, startEarshot, temporaryFolder } from "../support/earshot.ts";
import { announced, announcements, arrive, everythingIsAnnounced } from "../support/occupancy.ts";
import { runProgram } from "../support/program.ts";
import { twentieth } from "../support/twentieth.ts";
import { until } from "../support/until.ts";
import { addWebhook, eventsOf } from "../support/webhook-endpoint.ts";
import { startWebhookReceiver, stopWebhookReceivers } from "../support/webhook-receiver.ts";

const CHANNELS = ["news", "presence-room"];
const COMINGS = ["channel_occupied news", "channel_occupied presence-room", "member_added presence-room u-7"];

const servers: Earshot[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.kill();
  await stopWebhookReceivers();
});

async function start(dataDir?: string): Promise<Earshot> {
  const server = await startEarshot({ args: twentieth(), ...(dataDir === undefined ? {} : { dataDir }) });
  servers.push(server);
  return server;
}

const ways: [string, (from: string, to: string) => unknown][] = [
  ["earshot backup", (from, to) => runProgram(["backup", "--data", from, "--to", to])],
  ["cp -r", (from, to) => cpSync(from, to, { recursive: true })],
];

test.each(ways)(
  "a copy by %s starts, announces nobody gone who comes back, and tells who does not",
  async (_, copy) => {
    const original = await start();
    const receiver = await startWebhookReceiver();
    await addWebhook(original, receiver.url);
    await original.updateApp("--enabled", "true");
    await arrive(original, CHANNELS);
    await arrive(original, ["sport"]);
    await announced(original, ...COMINGS, "channel_occupied sport");
    const folder = join(temporaryFolder(), "copy");
    await copy(original.dataDir, folder);
    await original.kill();

    const restored = await start(folder);
    expect(announcements(restored)).toEqual([...COMINGS, "channel_occupied sport"]);
    await arrive(restored, CHANNELS);
    await everythingIsAnnounced(restored);
    expect(announcements(restored)).toEqual([...COMINGS, "channel_occupied sport", "channel_vacated sport"]);
    const received = () => receiver.received.flatMap((request) => eventsOf(pusherFor(restored), request));
    await until("the receiver is told", () =>
      received().some(({ name, channel }) => name === "channel_vacated" && channel === "sport"),
    );
  },
);
