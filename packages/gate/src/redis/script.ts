import { createHash } from "node:crypto";
import applyText from "./apply.lua" with { type: "text" };
import beatText from "./beat.lua" with { type: "text" };
import beginRepairText from "./begin-repair.lua" with { type: "text" };
import type { RedisCommands } from "./commands.ts";
import flushText from "./flush.lua" with { type: "text" };
import membersText from "./members.lua" with { type: "text" };
import nextText from "./next.lua" with { type: "text" };
import offerText from "./offer.lua" with { type: "text" };
import prelude from "./prelude.lua" with { type: "text" };
import raiseFloorText from "./raise-floor.lua" with { type: "text" };
import tickText from "./tick.lua" with { type: "text" };

/** A script and what Redis knows it by. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

export const SCRIPTS = {
  offer: script(offerText),
  apply: script(applyText),
  next: script(nextText),
  tick: script(tickText),
  flush: script(flushText),
  beat: script(beatText),
  beginRepair: script(beginRepairText),
  members: script(membersText),
  raiseFloor: script(raiseFloorText),
};

function script(body: string): Script {
  const text = prelude + body;
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

/** Runs a script, and sends its text where this Redis has not seen it yet. */
export async function run(
  commands: RedisCommands,
  { text, sha }: Script,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  try {
    return await commands.runScriptBySha(sha, keys, args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes("NOSCRIPT")) throw error;
    return await commands.runScript(text, keys, args);
  }
}
