/**
 * Silent clients, watched for as long as the server's time-outs take. The checks that need them share one wait, because
 * all of them last minutes.
 */

import { innerOf } from "./frame.ts";
import { memberData, Stage } from "./stage.ts";
import type { Target } from "./target.ts";
import { type Closed, OPCODE } from "./websocket-frame.ts";

const JAVA_SILENCE_SECONDS = 120; // java pings every 120 s, whatever the server announces
const GRACE_SECONDS = 45; // the 30 s that a client may take for an answer, and some more
const SHORT_SECONDS = 10; // ours: who announces less is set up for these checks

export interface Vigil {
  readonly waitedSeconds: number;
  /** The close of a client that answers ping frames and nothing else. */
  readonly quiet: Closed | undefined;
  /** It was sent a `pusher:ping`, which it does not answer either. */
  readonly wasAskedByEvent: boolean;
  /** The close of a client that only sends ping frames, and answers nothing. */
  readonly pinging: Closed | undefined;
  /** The close of a client that says and answers nothing at all. */
  readonly dead: Closed | undefined;
  /** The dead client's `member_removed` was seen by another. */
  readonly deadLeft: boolean;
}

const vigils = new WeakMap<Target, Promise<Vigil>>();

export function vigilOf(target: Target): Promise<Vigil> {
  let vigil = vigils.get(target);
  if (vigil === undefined) {
    vigil = keepVigil(target);
    vigils.set(target, vigil);
  }
  return vigil;
}

/** The longest that one vigil can take, with any announced time-out up to five minutes. */
export const VIGIL_LIMIT_MS = 400_000;

async function keepVigil(target: Target): Promise<Vigil> {
  const stage = new Stage(target);
  try {
    const quiet = await stage.open();
    const { activity_timeout } = innerOf(await quiet.welcome());
    const announced = typeof activity_timeout === "number" && activity_timeout > 0 ? activity_timeout : 120;
    const isShort = announced <= SHORT_SECONDS;
    const waitSeconds = isShort
      ? announced * 4 + 4
      : Math.max(announced, JAVA_SILENCE_SECONDS) + GRACE_SECONDS;
    const channel = stage.name("presence-");
    const observer = await stage.member(channel, "observer");
    const dead = await stage.connect({ answersPings: false });
    await dead.join(channel, memberData("dead"));
    const pinging = await stage.connect({ answersPings: false });
    // Some servers close who is neither signed in nor on a channel that needs a signature.
    for (const client of [quiet, pinging]) await client.join(stage.name("private-"));
    const beatMs = Math.max(250, (announced * 1_000) / 3);
    const beat = setInterval(() => {
      pinging.sendFrame(OPCODE.ping, "here");
      observer.send({ event: "pusher:ping", data: {} });
    }, beatMs);
    await Bun.sleep(waitSeconds * 1_000);
    clearInterval(beat);
    const removed = observer.frames.filter(({ event }) => event === "pusher_internal:member_removed");
    return {
      waitedSeconds: waitSeconds,
      quiet: quiet.closing,
      wasAskedByEvent: quiet.frames.some(({ event }) => event === "pusher:ping"),
      pinging: pinging.closing,
      dead: dead.closing,
      deadLeft: removed.some(({ data }) => String(data).includes("dead")),
    };
  } finally {
    stage.end();
  }
}
