import { REFUSABLE, UNKNOWN_KEY } from "./a-connecting.ts";
import type { Section } from "./check.ts";
import { Finding, must, mustEqual, NotShown, shown } from "./finding.ts";
import type { Stage } from "./stage.ts";
import { type Closed, OPCODE } from "./websocket-frame.ts";

/** Codes for a connection that is over for good, as the protocol page lists them and swift knows them. */
const DOCUMENTED_40XX = [4000, 4001, 4003, 4004, 4005, 4006, 4007, 4008, 4009];

const SHUTDOWN_MS = 15_000; // ours

const NONSENSE = [
  "not json",
  "[]",
  '{"event":""}',
  '{"event":"pusher:connection_established"}',
  '{"event":"pusher:error","data":{"code":4001,"message":"me"}}',
  '{"event":"pusher_internal:member_added","channel":"presence-x","data":"{}"}',
  '{"event":"pusher:subscribe"}',
  '{"event":"pusher:subscribe","data":null}',
  '{"event":"pusher:subscribe","data":[]}',
  '{"event":"pusher:subscribe","data":{"channel":{}}}',
  '{"event":"pusher:subscribe","data":{"channel":""}}',
  '{"event":"pusher:subscribe","data":{"channel":"private-x","auth":{}}}',
  '{"event":"pusher:subscribe","data":{"channel":"presence-x","auth":1,"channel_data":2}}',
  '{"event":"pusher:unsubscribe"}',
  '{"event":"client-x"}',
  '{"event":"client-x","channel":7,"data":1}',
];

export const CLOSING: Section = {
  letter: "C",
  title: "Closing",
  checks: [
    {
      number: 19,
      what: "who must not come back is closed with 4000 to 4099",
      run: async (stage) => {
        const client = await stage.open({ key: UNKNOWN_KEY });
        const { code } = await client.closed();
        must(code >= 4_000 && code < 4_100, `an unknown key is closed with ${code}`);
      },
    },
    {
      number: 20,
      what: "nothing is closed with 43xx, a flood of client events neither",
      run: async (stage) => {
        const channel = stage.name("private-");
        const client = await stage.subscriber(channel);
        for (let at = 0; at < 60; at++) client.send({ event: "client-flood", channel, data: { at } });
        await Bun.sleep(500);
        const { closing } = client;
        must(
          closing === undefined || closing.code < 4_300 || closing.code >= 4_400,
          `closed with ${closing?.code}`,
        );
      },
    },
    {
      number: 21,
      what: "refusals for good use the documented 40xx codes only",
      run: async (stage) => {
        for (const options of REFUSABLE) {
          const closed = await refusal(stage, options);
          if (closed === undefined || closed.code < 4_000 || closed.code >= 4_100) continue;
          must(
            DOCUMENTED_40XX.includes(closed.code),
            () => `${shown(options)} is closed with ${closed.code}`,
          );
        }
      },
    },
    {
      number: 22,
      what: "a planned shutdown closes with 4200 or 4100",
      isLast: true,
      run: async (stage) => {
        const { pid } = stage.target;
        if (pid === undefined)
          throw new NotShown(
            "would stop the server: allow that with --stop-pid PID (SIGTERM, at the very end)",
          );
        const client = await stage.subscriber(stage.name());
        process.kill(pid, "SIGTERM");
        const { code, reason } = await client.closed(SHUTDOWN_MS);
        must(code === 4_200 || code === 4_100, `closed with ${code} ${shown(reason)}`);
      },
    },
    {
      number: 23,
      what: "nothing that a client says is answered by a close with 1002 or 1003",
      run: async (stage) => {
        const { target } = stage;
        let before = "";
        for (const text of [...NONSENSE, "x".repeat(20_000)]) {
          const client = await stage.connect().catch((problem: unknown) => {
            throw before === "" ? problem : new Finding(`after ${shown(before)} nobody can connect any more`);
          });
          before = text;
          client.send(text);
          client.send({ event: "pusher:ping", data: {} });
          const after = (frame: { event: string }) =>
            frame.event === "pusher:pong" || frame.event === "(close)";
          await client.next(after, `an answer after ${shown(text)}`, target.answerMs).catch(() => undefined);
          mustNotAccuse(client.closing, text);
          client.destroy();
        }
        const client = await stage.connect();
        client.sendFrame(OPCODE.binary, Uint8Array.of(1, 2, 3));
        await Bun.sleep(100);
        mustNotAccuse(client.closing, "a binary frame");
      },
    },
    {
      number: 24,
      what: "an app for TLS alone answers a plain connection with 4000",
      run: async (stage) => {
        if (stage.target.url.protocol === "https:")
          throw new NotShown("needs an app for TLS alone and the server's plain-text address");
        const client = await stage.open();
        const first = await client.next(() => true, "a first frame");
        if (first.event === "pusher:connection_established")
          throw new NotShown("needs an app for TLS alone; this one takes plain connections");
        mustEqual((await client.closed()).code, 4_000, "the close code");
      },
    },
    {
      number: 25,
      what: "a close has a reason, at most 123 bytes of UTF-8",
      run: async (stage) => {
        const closed = await refusal(stage, { key: UNKNOWN_KEY });
        must(closed !== undefined, "an unknown key is not refused inside a WebSocket");
        must(closed.reason !== "", `closed with ${closed.code} and no reason`);
        must(
          !closed.reason.includes("\ufffd"),
          () => `the reason is no whole UTF-8: ${shown(closed.reason)}`,
        );
      },
    },
  ],
};

async function refusal(stage: Stage, options: Parameters<Stage["open"]>[0]): Promise<Closed | undefined> {
  const client = await stage.open(options).catch(() => undefined);
  if (client === undefined) return undefined;
  const first = await client.next(() => true, "a first frame").catch(() => undefined);
  if (first?.event === "pusher:connection_established") return undefined;
  return await client.closed().catch(() => undefined);
}

function mustNotAccuse(closing: Closed | undefined, of: string): void {
  must(
    closing === undefined || ![1_002, 1_003, 1_006].includes(closing.code),
    () =>
      `${shown(of)} is answered by ${closing?.code === 1_006 ? "the end of the connection, without a close frame" : `close ${closing?.code}`}`,
  );
}
