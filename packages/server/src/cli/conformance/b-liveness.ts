import type { Section } from "./check.ts";
import { must, mustEqual, NotShown } from "./finding.ts";
import type { Stage } from "./stage.ts";
import { VIGIL_LIMIT_MS, type Vigil, vigilOf } from "./vigil.ts";
import { type Closed, OPCODE } from "./websocket-frame.ts";

export const LIVENESS: Section = {
  letter: "B",
  title: "Liveness",
  checks: [
    {
      number: 11,
      what: "a ping frame is answered by a pong frame, at one per second too",
      run: async (stage) => {
        const client = await stage.connect();
        for (const content of ["", "hello", "x".repeat(125)]) {
          client.sendFrame(OPCODE.ping, content);
          const pong = await client.next("(pong)", "a pong frame");
          mustEqual(pong.data, content, "the content of the pong frame");
          await Bun.sleep(1_000);
        }
        await client.settled();
      },
    },
    {
      number: 12,
      what: "pusher:ping with data gets pusher:pong with data",
      run: async (stage) => await pingPong(stage, '{"event":"pusher:ping","data":{}}'),
    },
    {
      number: 13,
      what: "pusher:ping without data gets pusher:pong",
      run: async (stage) => await pingPong(stage, '{"event": "pusher:ping"}'),
    },
    {
      number: 14,
      what: "who never answers pusher:ping events but answers ping frames is not closed",
      limitMs: VIGIL_LIMIT_MS,
      run: async (stage) => {
        const vigil = await vigilFor(stage);
        mustLive(vigil.quiet, vigil, vigil.wasAskedByEvent ? "after a pusher:ping event" : "");
      },
    },
    {
      number: 15,
      what: "control frames count as activity",
      limitMs: VIGIL_LIMIT_MS,
      run: async (stage) => {
        const vigil = await vigilFor(stage);
        mustLive(vigil.pinging, vigil, "although it sent ping frames all the time");
      },
    },
    {
      number: 16,
      what: "who is silent for longer than activity_timeout but answers ping frames stays",
      limitMs: VIGIL_LIMIT_MS,
      run: async (stage) => {
        const vigil = await vigilFor(stage);
        mustLive(vigil.quiet, vigil, "");
      },
    },
    {
      number: 17,
      what: "a dead peer is closed with 4201 and leaves its presence channels",
      limitMs: VIGIL_LIMIT_MS,
      run: async (stage) => {
        const { dead, deadLeft, waitedSeconds } = await vigilFor(stage);
        must(dead !== undefined, `it was not closed within ${waitedSeconds} s`);
        mustEqual(dead.code, 4201, "the close code");
        must(deadLeft, "the others were sent no member_removed");
      },
    },
    {
      number: 18,
      what: "a client's pusher:pong is taken without reply or error",
      run: async (stage) => {
        const client = await stage.connect();
        client.send({ event: "pusher:pong", data: {} });
        await stage.quiet(client);
        const events = client.frames.slice(1).map(({ event }) => event);
        mustEqual(events, ["pusher:pong"], "what came (the answer to a ping after it included)");
      },
    },
  ],
};

async function pingPong(stage: Stage, ping: string): Promise<void> {
  const client = await stage.connect();
  client.send(ping);
  const pong = await client.next("pusher:pong");
  must("data" in pong.fields, `without data: ${pong.raw}`);
}

async function vigilFor(stage: Stage): Promise<Vigil> {
  if (stage.target.isSlow !== true)
    throw new NotShown("waits for the server's time-outs, about three minutes: ask for it with --slow");
  return await vigilOf(stage.target);
}

function mustLive(closed: Closed | undefined, { waitedSeconds }: Vigil, more: string): void {
  const seen = ["it was closed with", closed?.code, closed?.reason, `within ${waitedSeconds} s`, more];
  must(closed === undefined, () => seen.filter((part) => part !== "").join(" "));
}
