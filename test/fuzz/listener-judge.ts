import type { JudgedFrame } from "./frame-judge.ts";
import { SHARED } from "./generate.ts";

/** Follows somebody who is on all shared channels: what that one is told must fit together. */
export class ListenerJudge {
  /** Who is a member of which channel, as the listener was told. */
  readonly #members = new Map<string, Set<string>>();

  /** @throws where the listener got what the protocol does not know, or what contradicts what it got before */
  judge(frames: readonly JudgedFrame[]): void {
    for (const { token, channel = "", data, fields } of frames) {
      if (!SHARED.includes(channel)) throw new Error(`the listener got an event of ${channel}`);
      const isPresence = channel.startsWith("presence-");
      if (token === "added" || token === "removed") {
        const { user_id: userId } = JSON.parse(String(data)) as { user_id: string };
        const members = this.#members.get(channel) ?? new Set(["watcher"]);
        this.#members.set(channel, members);
        if (!isPresence || members.has(userId) === (token === "added"))
          throw new Error(`${userId} was ${token} wrongly`);
        if (token === "added") members.add(userId);
        else members.delete(userId);
      } else if (token === "count") {
        if (isPresence) throw new Error("a presence channel was told a subscription count");
      } else if (token === "event") {
        checkEvent(channel, fields);
      } else {
        throw new Error(`the listener got ${token}`);
      }
    }
  }
}

/** @throws where an event is one that a client could not send */
function checkEvent(channel: string, fields: Readonly<Record<string, unknown>>): void {
  const userId = fields["user_id"];
  if (userId === "forged") throw new Error("a forged user_id came through");
  if (Object.keys(fields).length > (userId === undefined ? 3 : 4))
    throw new Error("an event has more keys than it should");
  if (userId !== undefined && !channel.startsWith("presence-"))
    throw new Error("a user_id where there are no members");
}
