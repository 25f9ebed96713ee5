/** Clients that come and go, and what the server has written down about them. */
import type { StampedEvent } from "@earshot/protocol/webhook";
import type { Earshot } from "./earshot.ts";
import { connectRaw, type RawClient } from "./raw-client.ts";
import { readServerLog } from "./server-log.ts";
import { until } from "./until.ts";

const MARKER = "marker";

/** Connects and subscribes. @throws where a subscription is refused */
export async function arrive(
  earshot: Earshot,
  channels: readonly string[],
  userId = "u-7",
): Promise<RawClient> {
  const client = await connectRaw(earshot);
  for (const channel of channels) await subscribeAs(client, channel, userId);
  return client;
}

export async function subscribeAs(client: RawClient, channel: string, userId = "u-7"): Promise<void> {
  const member = channel.startsWith("presence-") ? { channel_data: JSON.stringify({ user_id: userId }) } : {};
  const answer = await client.subscribe(channel, member);
  if (answer.event === "pusher:error") throw new Error(answer.raw);
}

/** What was announced so far, such as `member_added presence-room u-7`, but for the marker. */
export function announcements(earshot: Earshot): string[] {
  return logOf(earshot)
    .filter(({ channel }) => channel !== MARKER)
    .map(shown);
}

export function shown(event: StampedEvent): string {
  return [event.name, event.channel, ...("user_id" in event ? [event.user_id] : [])].join(" ");
}

export function logOf(earshot: Earshot): StampedEvent[] {
  return readServerLog(earshot.dataDir, earshot.app.id);
}

/** Until this is the whole of what was announced. */
export async function announced(earshot: Earshot, ...expected: readonly string[]): Promise<void> {
  try {
    await until("it is announced", () => Bun.deepEquals(announcements(earshot), expected));
  } catch (problem) {
    throw new Error(`${String(problem)}; there is\n${announcements(earshot).join("\n")}`);
  }
}

/**
 * Everything that the present state asks for has been announced: a channel of its own is occupied and left last, and
 * what was gone before it is announced before it.
 */
export async function everythingIsAnnounced(earshot: Earshot): Promise<void> {
  const times = () => logOf(earshot).filter(({ channel }) => channel === MARKER).length;
  const before = times();
  const client = await arrive(earshot, [MARKER]);
  await until("the marker is occupied", () => times() === before + 1);
  client.close();
  await until("the marker is vacated", () => times() === before + 2);
}
