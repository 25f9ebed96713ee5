import type { Section } from "./check.ts";
import type { Client, ConnectOptions } from "./client.ts";
import { must, mustEqual, NotShown, shown } from "./finding.ts";
import { errorOf, innerOf } from "./frame.ts";
import type { Stage } from "./stage.ts";
import { OPCODE } from "./websocket-frame.ts";

/** What each official client puts behind `/app/KEY`. */
const CLIENT_QUERIES = [
  "protocol=7&client=js&version=8.6.0&flash=false",
  "client=pusher-websocket-swift&version=10.1.10&protocol=7",
  "client=libPusher&protocol=6&version=1.6.4",
  "client=java-client&protocol=5&version=2.4.4",
  "protocol=5&client=pusher-dotnet-client&version=2.3.0",
];

const OTHER_QUERIES = [
  "flash=false&version=8.6.0&client=js&protocol=7",
  "version=8.6.0&protocol=7&flash=false&client=js",
  "protocol=7&client=js&version=8.6.0&flash=false&unknown=1&another",
];

const AT_ONCE = 20;

export const UNKNOWN_KEY = "0000000000000000dead";

/** Connections that a server has reason to refuse before the handshake. */
export const REFUSABLE: readonly ConnectOptions[] = [
  { key: UNKNOWN_KEY },
  { query: "protocol=3&client=js&version=8.6.0" },
  { query: "client=js&version=8.6.0" },
  { path: "/elsewhere" },
];

export const CONNECTING: Section = {
  letter: "A",
  title: "Connecting",
  checks: [
    {
      number: 1,
      what: "/app/KEY takes any order of the query, unknown parameters and flash=false",
      run: async (stage) => {
        for (const query of [...CLIENT_QUERIES, ...OTHER_QUERIES]) {
          const client = await stage.open({ query });
          const first = await client.next(() => true, "a first frame");
          must(
            first.event === "pusher:connection_established",
            () => `with ?${query} the first frame is ${shown(first.raw)}`,
          );
          client.destroy();
        }
      },
    },
    {
      number: 2,
      what: "protocol 5, 6 and 7 are accepted",
      run: async (stage) => {
        for (const version of [5, 6, 7]) {
          const client = await stage.open({ query: `protocol=${version}&client=test&version=1.0` });
          const first = await client.next(() => true, "a first frame");
          must(
            first.event === "pusher:connection_established",
            () => `protocol=${version} is answered by ${shown(first.raw)}`,
          );
          client.destroy();
        }
      },
    },
    {
      number: 3,
      what: "the same is served under a path prefix (wsPath)",
      run: async (stage) => {
        const path = `${prefixOf(stage)}/app/${stage.target.app.key}`;
        const client = await stage.connect({ path });
        await client.join(stage.name());
        await client.settled();
      },
    },
    {
      number: 4,
      what: "an unknown key gets an upgrade, then pusher:error 4001 with object data, then close 4001",
      run: async (stage) => {
        const client = await stage.open({ key: UNKNOWN_KEY });
        const error = errorOf(await client.next(() => true, "a first frame"));
        mustEqual(error["code"], 4001, "the code of pusher:error");
        must(typeof error["message"] === "string", () => `message is no string: ${shown(error)}`);
        mustEqual((await client.closed()).code, 4001, "the close code");
      },
    },
    {
      number: 5,
      what: "pusher:connection_established is the first frame, on a busy server too",
      run: async (stage) => {
        const channel = stage.name();
        const talker = await stage.subscriber(channel);
        const clients = await Promise.all(Array.from({ length: AT_ONCE }, () => stage.open()));
        for (const client of clients) {
          client.send({ event: "pusher:ping", data: {} });
          client.send({ event: "pusher:subscribe", data: { channel } });
        }
        await stage.publish(channel, "busy", "{}");
        for (const client of clients) await client.welcome();
        await talker.settled();
      },
    },
    {
      number: 6,
      what: "its data is a string with socket_id (string) and activity_timeout (integer above 0)",
      run: async (stage) => {
        const welcome = await (await stage.open()).welcome();
        const { activity_timeout } = innerOf(welcome);
        must(
          Number.isInteger(activity_timeout) && Number(activity_timeout) > 0,
          () => `activity_timeout is ${shown(activity_timeout)}`,
        );
      },
    },
    {
      number: 7,
      what: "it arrives in well under 2 s",
      run: async (stage) => {
        const startMs = performance.now();
        await Promise.all(Array.from({ length: AT_ONCE }, () => stage.connect()));
        const tookMs = Math.round(performance.now() - startMs);
        must(tookMs < 2_000, `${AT_ONCE} connections at once took ${tookMs} ms`);
      },
    },
    {
      number: 8,
      what: "socket_id is two decimal numbers with a dot, and new each time",
      run: async (stage) => {
        const clients = await Promise.all(Array.from({ length: AT_ONCE }, () => stage.connect()));
        const ids = clients.map(({ socketId }) => socketId);
        for (const id of ids) must(/^\d+\.\d+$/.test(id), () => `socket_id is ${shown(id)}`);
        mustEqual(new Set(ids).size, ids.length, `the number of different ids of ${ids.length}`);
      },
    },
    {
      number: 9,
      what: "a pusher:error before the handshake has a number for its code",
      run: async (stage) => {
        for (const options of REFUSABLE) {
          const first = await firstFrame(stage, options);
          if (first === undefined || first.event !== "pusher:error") continue;
          const { code } = errorOf(first);
          must(Number.isInteger(code), () => `${shown(options)} is refused by ${shown(first.raw)}`);
        }
      },
    },
    {
      number: 10,
      what: "binary frames do no harm; invalid JSON gets a pusher:error and the connection stays",
      run: async (stage) => {
        const binary = await stage.connect();
        binary.sendFrame(OPCODE.binary, Uint8Array.of(0, 1, 2, 255));
        await Bun.sleep(100);
        const client = await stage.connect();
        for (const text of ["not json", "{", "[]", "null", '"text"', "{}", '{"event":7}']) {
          const from = client.frames.length;
          client.send(text);
          errorOf(await client.next("pusher:error", `a pusher:error for ${text}`, undefined, from));
        }
        await client.settled();
      },
    },
  ],
};

export function prefixOf(stage: Stage): string {
  if (stage.target.prefix === undefined)
    throw new NotShown("needs a server that is mounted under a path as well: name the path with --prefix /x");
  return stage.target.prefix;
}

/** The first frame, or undefined where the upgrade is refused or the connection ends without one. */
async function firstFrame(stage: Stage, options: ConnectOptions) {
  let client: Client;
  try {
    client = await stage.open(options);
  } catch {
    return undefined; // refused with an HTTP status: another check's matter
  }
  return await client.next(() => true, "a first frame").catch(() => undefined);
}
