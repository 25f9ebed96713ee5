import type { Section } from "./check.ts";
import { everythingFrom } from "./everything.ts";
import { must, mustEqual, shown } from "./finding.ts";
import { errorOf, innerOf } from "./frame.ts";
import type { Stage } from "./stage.ts";

const OF_CONNECTION = [
  "pusher:connection_established",
  "pusher:signin_success",
  "pusher_internal:watchlist_events",
];

/** What the official clients know, and Laravel Echo. */
const KNOWN = [
  "pusher:connection_established",
  "pusher:error",
  "pusher:ping",
  "pusher:pong",
  "pusher:cache_miss",
  "pusher:signin_success",
  "pusher:subscription_error",
];

const TEXTS = [
  "plain",
  " ",
  "123",
  "1e400",
  "-0",
  "null",
  "true",
  '"quoted"',
  '{"a":1}',
  ' { "a" : 1 , "b":[ ] } ',
  '{"b":1,"a":2,"b":3}',
  '{"big":12345678901234567890,"precise":1.10}',
  "{not json",
  '{"nested":"{\\"deep\\":\\"\\\\\\"\\"}"}',
  "back\\slash / and \\/ slash",
  "tab\t line\n return\r bell\u0007",
  "<script>&amp;</script>",
  "a+b%20c&d=e",
];

const CHARACTERS = [
  "Zoë, ñ, ß, Ω, ж, 日本語, עברית, العربية",
  "\u2028 line \u2029 paragraph",
  "emoji \u{1f600} family \u{1f468}\u200d\u{1f469}\u200d\u{1f467} flag \u{1f1e6}\u{1f1f9}",
  "zero \u0000 and \u0001 to \u001f and \u007f",
  "\ufeff byte order mark, \uffff",
  "e\u0301 is not \u00e9",
];

export const DATA_ENCODING: Section = {
  letter: "D",
  title: "Data encoding",
  checks: [
    {
      number: 26,
      what: "the data of pusher:error is an object, that of every other system event a string",
      run: async ({ target }) => {
        for (const frame of await everythingFrom(target)) {
          if (frame.event === "pusher:error") errorOf(frame);
          else if (frame.event.startsWith("pusher"))
            must(typeof frame.data === "string", () => `no string: ${shown(frame.raw)}`);
        }
      },
    },
    {
      number: 27,
      what: "every event has a data member",
      run: async ({ target }) => {
        for (const frame of await everythingFrom(target))
          must("data" in frame.fields, () => `without data: ${shown(frame.raw)}`);
      },
    },
    {
      number: 28,
      what: "the data of member_added and member_removed is a string",
      run: async (stage) => {
        const channel = stage.name("presence-");
        const observer = await stage.member(channel, "observer");
        const guest = await stage.member(channel, "guest", { name: "Guest" });
        const added = await observer.next("pusher_internal:member_added");
        mustEqual(innerOf(added)["user_id"], "guest", "user_id of member_added");
        guest.leave(channel);
        const removed = await observer.next("pusher_internal:member_removed");
        mustEqual(innerOf(removed)["user_id"], "guest", "user_id of member_removed");
      },
    },
    {
      number: 29,
      what: "application data arrives byte for byte, JSON or not",
      run: async (stage) => await mustArrive(stage, TEXTS),
    },
    {
      number: 30,
      what: "Unicode, U+2028, emoji and \\u0000 survive in data",
      run: async (stage) => await mustArrive(stage, CHARACTERS),
    },
    {
      number: 31,
      what: "events of the connection have no channel",
      run: async ({ target }) => {
        for (const frame of await everythingFrom(target)) {
          if (!OF_CONNECTION.includes(frame.event)) continue;
          must(!("channel" in frame.fields), () => `with a channel: ${shown(frame.raw)}`);
        }
      },
    },
    {
      number: 32,
      what: "events that official clients do not know have the prefix pusher_internal:",
      run: async ({ target }) => {
        for (const { event, raw } of await everythingFrom(target)) {
          const isFine =
            event.startsWith("pusher_internal:") ||
            KNOWN.includes(event) ||
            event === "update" ||
            event.startsWith("client-");
          must(isFine, () => `unknown to clients: ${shown(raw)}`);
        }
      },
    },
  ],
};

/** Publishes each text, written as JSON in two ways, and looks at what a subscriber gets. */
async function mustArrive(stage: Stage, texts: readonly string[]): Promise<void> {
  const channel = stage.name();
  const client = await stage.subscriber(channel);
  for (const text of texts) {
    for (const write of [JSON.stringify, escaped]) {
      const body = `{"name":"text","channels":["${channel}"],"data":${write(text)}}`;
      const answer = await stage.post("/events", body);
      mustEqual(answer.status, 200, `the status for data ${shown(text)}`);
      const frame = await client.next("text", `the event with data ${shown(text)}`);
      must(frame.data === text, () => `${shown(JSON.stringify(text))} arrived as ${shown(frame.raw)}`);
    }
  }
}

/** JSON as python and php write it: nothing but ASCII. */
function escaped(text: string): string {
  const unicode = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(text)
    .replaceAll(/[^ -~]/g, unicode)
    .replaceAll("/", "\\/");
}
