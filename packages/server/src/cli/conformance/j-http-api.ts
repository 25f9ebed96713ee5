import { prefixOf } from "./a-connecting.ts";
import type { Section } from "./check.ts";
import { must, mustEqual, shown } from "./finding.ts";
import { parsed, recordOf } from "./frame.ts";
import { md5 } from "./hash.ts";
import type { Answer } from "./http.ts";
import { LIBRARIES, libraryRequest } from "./library-request.ts";
import { mountPath } from "./socket.ts";
import { shownAnswer } from "./stage.ts";

const MAX_BYTES = 10_240; // documented limit of one event's data
const MAX_CHANNELS = 100; // documented
const MAX_BATCH = 10; // documented
const PYTHON_GETS = [
  ["/channels", { filter_by_prefix: "presence-", info: "user_count" }],
  ["/channels", {}],
  ["/channels/presence-nobody", { info: "user_count" }],
  ["/channels/presence-nobody/users", {}],
] as const;

export const HTTP_API: Section = {
  letter: "J",
  title: "HTTP API",
  checks: [
    {
      number: 81,
      what: "python's GET with the body_md5 of nothing is accepted",
      run: async (stage) => {
        for (const [path, query] of PYTHON_GETS) {
          const answer = await stage.api("GET", path, { library: "python", query });
          mustBe(answer, 200, `GET ${path}?body_md5=${md5("")}`);
        }
      },
    },
    {
      number: 82,
      what: "python's terminate call arrives at /users/ID/terminate_connections",
      run: async (stage) => {
        const path = `/users/${stage.name("user-")}/terminate_connections`;
        const answer = await stage.api("POST", path, { library: "python", isBare: true, body: "{}" });
        mustBe(answer, 200, `POST ${path}`);
      },
    },
    {
      number: 83,
      what: "every success is exactly 200 with a JSON object, for the requests of five libraries",
      run: async (stage) => {
        for (const library of LIBRARIES) {
          const [open, room] = [stage.name(), stage.name("presence-")];
          const event = JSON.stringify({ name: "e", channels: [open], data: '{"text":"Zoë 😀"}' });
          const batch = JSON.stringify({ batch: [{ name: "e", channel: open, data: "x" }] });
          const answers = {
            "POST /events": await stage.api("POST", "/events", { library, body: event }),
            "POST /batch_events": await stage.api("POST", "/batch_events", { library, body: batch }),
            "GET /channels": await stage.api("GET", "/channels", { library }),
            "GET /channels/NAME": await stage.api("GET", `/channels/${room}`, { library }),
            "GET /channels/NAME/users": await stage.api("GET", `/channels/${room}/users`, { library }),
          };
          for (const [what, answer] of Object.entries(answers)) {
            mustBe(answer, 200, `${library}'s ${what}`);
            answer.json();
          }
        }
      },
    },
    {
      number: 84,
      what: "a publish without info is answered by {}",
      run: async (stage) => {
        const answer = await stage.publish(stage.name(), "e", "x");
        mustEqual(answer.json(), {}, "the answer");
      },
    },
    {
      number: 85,
      what: 'GET /channels with nothing is {"channels":{}}',
      run: async (stage) => {
        const answer = await stage.get("/channels", { filter_by_prefix: stage.name() });
        mustBe(answer, 200, "GET /channels");
        mustEqual(answer.json(), { channels: {} }, "the answer");
      },
    },
    {
      number: 86,
      what: "a batch's info answer is an array in the order of the events",
      run: async (stage) => {
        const channel = stage.name("presence-");
        await stage.member(channel, "ann");
        const event = (info?: string) => ({ name: "e", channel, data: "x", ...(info && { info }) });
        const answer = await stage.post("/batch_events", {
          batch: [event(), event("user_count"), event()],
        });
        mustBe(answer, 200, "POST /batch_events");
        mustEqual(answer.json()["batch"], [{}, { user_count: 1 }, {}], "batch of the answer");
      },
    },
    {
      number: 87,
      what: "channel and channels are both accepted",
      run: async (stage) => {
        const [a, b] = [stage.name(), stage.name()];
        const client = await stage.subscriber(a);
        await client.join(b);
        mustBe(
          await stage.post("/events", { name: "one", channel: a, data: "1" }),
          200,
          "a publish with channel",
        );
        mustEqual((await client.next("one")).channel, a, "the channel of the event");
        await stage.publish([a, b], "two", "2");
        const both = [(await client.next("two")).channel, (await client.next("two")).channel];
        mustEqual(both.sort(), [a, b].sort(), "the channels of the events");
      },
    },
    {
      number: 88,
      what: 'data:"" is accepted',
      run: async (stage) => {
        const channel = stage.name();
        const client = await stage.subscriber(channel);
        await stage.publish(channel, "empty", "");
        mustEqual((await client.next("empty")).data, "", "data");
      },
    },
    {
      number: 89,
      what: "the ids of the users list are strings, each user once",
      run: async (stage) => {
        const channel = stage.name("presence-");
        for (const id of [7, "ann", "ann"]) await stage.member(channel, id);
        const answer = await stage.get(`/channels/${channel}/users`);
        mustBe(answer, 200, "GET users");
        const { users } = answer.json();
        must(Array.isArray(users), () => `users is no array: ${shown(answer.body)}`);
        const ids: unknown[] = users.map((user: unknown) => recordOf(user)?.["id"]);
        for (const id of ids) must(typeof id === "string", () => `the id ${shown(id)} is no string`);
        mustEqual([...ids].sort(), ["7", "ann"], "ids");
      },
    },
    {
      number: 90,
      what: "user_count counts users, and stands only where info asks for it",
      run: async (stage) => {
        const channel = stage.name("presence-");
        for (const id of ["ann", "ann", "bo"]) await stage.member(channel, id);
        const info = { info: "user_count" };
        const one = await stage.get(`/channels/${channel}`, info);
        mustEqual(one.json()["user_count"], 2, "user_count of the channel");
        const list = await stage.get("/channels", { filter_by_prefix: channel, ...info });
        mustEqual(list.json()["channels"], { [channel]: { user_count: 2 } }, "channels with info");
        const bare = await stage.get("/channels", { filter_by_prefix: channel });
        mustEqual(bare.json()["channels"], { [channel]: {} }, "channels without info");
        const event = { name: "e", channels: [channel], data: "x", ...info };
        const published = (await stage.post("/events", event)).json();
        mustEqual(published["channels"], { [channel]: { user_count: 2 } }, "channels of a publish with info");
      },
    },
    {
      number: 91,
      what: "a timestamp 600 s or more away is refused with the known text, a nearer one accepted",
      run: async (stage) => {
        const now = Math.floor(Date.now() / 1_000);
        for (const timestamp of [now - 580, now + 580])
          mustBe(await stage.api("GET", "/channels", { timestamp }), 200, `${timestamp - now} s away`);
        for (const timestamp of [now - 610, now + 620]) {
          const answer = await stage.api("GET", "/channels", { timestamp });
          mustBe(answer, 401, `${timestamp - now} s away`);
          must(
            answer.body.includes("Timestamp expired: Given timestamp ("),
            () => `refused with ${shown(answer.body)}`,
          );
        }
      },
    },
    {
      number: 92,
      what: "unescaped commas and equals signs in the query verify",
      run: async (stage) => {
        for (const library of LIBRARIES) {
          const info = { info: "user_count,subscription_count", filter_by_prefix: "presence-a=b,c@;" };
          const answer = await stage.api("GET", "/channels", { library, query: info });
          must(
            answer.status !== 401 && answer.status !== 403,
            () => `${library}'s query is refused with ${shownAnswer(answer)}`,
          );
        }
      },
    },
    {
      number: 93,
      what: "under a prefix, php signs without it, others with it",
      run: async (stage) => {
        const prefix = `${mountPath(stage.target.url)}${prefixOf(stage)}`;
        for (const library of LIBRARIES.filter((name) => name !== "python")) {
          const call = { app: stage.target.app, method: "GET", path: "/channels", prefix } as const;
          mustBe(await stage.send(libraryRequest(library, call)), 200, `${library}'s GET ${prefix}/apps/...`);
        }
      },
    },
    {
      number: 94,
      what: "10240 bytes of data are accepted, 10241 get 413 with a text",
      run: async (stage) => {
        const channel = stage.name();
        const client = await stage.subscriber(channel);
        const exact = "é".repeat(MAX_BYTES / 2);
        await stage.publish(channel, "exact", exact);
        must((await client.next("exact")).data === exact, "it arrived changed");
        const answer = await stage.post("/events", { name: "e", channels: [channel], data: `${exact}x` });
        mustBe(answer, 413, "one byte more");
        mustBeText(answer);
      },
    },
    {
      number: 95,
      what: "socket_id is left out on every channel of the list, on another node too where one is named",
      run: async (stage) => {
        const channels = [stage.name(), stage.name()];
        const { otherNode } = stage.target;
        const own = await stage.connect(otherNode === undefined ? {} : { url: otherNode });
        const other = await stage.connect();
        for (const channel of channels) {
          await own.join(channel);
          await other.join(channel);
        }
        await stage.publish(channels, "e", "x", { socket_id: own.socketId });
        for (const _ of channels) await other.next("e");
        await stage.quiet(own);
        const heard = own.frames.find(({ event }) => event === "e");
        must(heard === undefined, () => `the excluded connection got ${shown(heard?.raw)}`);
      },
    },
    {
      number: 96,
      what: "101 channels, or 11 events in a batch, get 400",
      run: async (stage) => {
        const channels = Array.from({ length: MAX_CHANNELS + 1 }, () => stage.name());
        mustBe(await stage.post("/events", { name: "e", channels, data: "x" }), 400, "101 channels");
        const batch = channels.slice(0, MAX_BATCH + 1).map((channel) => ({ channel, name: "e", data: "x" }));
        mustBe(await stage.post("/batch_events", { batch }), 400, "11 events");
        mustBe(
          await stage.post("/events", { name: "e", channels: channels.slice(1), data: "x" }),
          200,
          "100 channels",
        );
      },
    },
    {
      number: 97,
      what: 'an unoccupied channel is 200 {"occupied":false}',
      run: async (stage) => {
        const answer = await stage.get(`/channels/${stage.name()}`);
        mustBe(answer, 200, "GET /channels/NAME");
        mustEqual(answer.json()["occupied"], false, "occupied");
      },
    },
    {
      number: 98,
      what: "the user list of a public channel gets 400",
      run: async (stage) => {
        const channel = stage.name();
        await stage.subscriber(channel);
        mustBe(await stage.get(`/channels/${channel}/users`), 400, "GET users");
      },
    },
    {
      number: 99,
      what: "errors have plain text for their body",
      run: async (stage) => {
        const { app } = stage.target;
        const wrong = await stage.api("GET", "/channels", { app: { ...app, secret: "not-the-secret" } });
        mustBe(wrong, 401, "a wrong signature");
        mustBeText(wrong);
        const bad = await stage.post("/events", "{}");
        mustBe(bad, 400, "a publish without anything");
        mustBeText(bad);
      },
    },
  ],
};

function mustBe(answer: Answer, status: number, what: string): void {
  must(
    answer.status === status,
    () => `${what} is answered with ${shownAnswer(answer)} where ${status} was awaited`,
  );
}

function mustBeText({ body }: Answer): void {
  must(body.trim() !== "", "the body is empty");
  const value = parsed(body);
  must(typeof value !== "object" || value === null, () => `the body is JSON: ${shown(body)}`);
}
