import type { Section } from "./check.ts";
import type { Client } from "./client.ts";
import { must, mustEqual, shown } from "./finding.ts";
import { errorOf, type Frame, innerOf, recordOf } from "./frame.ts";
import { hmac } from "./hash.ts";
import { userAuth } from "./signing.ts";
import { memberData, type Stage } from "./stage.ts";

const WATCHLIST = "pusher_internal:watchlist_events";
const MAX_WATCHED = 100; // documented

export const USERS: Section = {
  letter: "I",
  title: "Users",
  checks: [
    {
      number: 74,
      what: "sign-in is signed over socket_id::user::user_data, auth is KEY:SIGNATURE",
      run: async (stage) => {
        const client = await stage.connect();
        await signIn(stage, client, { id: stage.name("user-") });
        const other = await stage.connect();
        const user_data = JSON.stringify({ id: stage.name("user-") });
        const { key, secret } = stage.target.app;
        const wrong = `${key}:${hmac(secret, `${other.socketId}:${user_data}`)}`;
        other.send({ event: "pusher:signin", data: { auth: wrong, user_data } });
        const answer = await other.next(isSignInAnswer, "an answer to a sign-in with a wrong signature");
        must(answer.event !== "pusher:signin_success", "a wrong signature signs in");
      },
    },
    {
      number: 75,
      what: "signin_success has the user_data that was sent, to the byte",
      run: async (stage) => {
        const client = await stage.connect();
        const user_data = `{ "id" : "${stage.name("user-")}", "user_info":{"name":"Zoë \\u00eb"} }`;
        const success = await signIn(stage, client, user_data);
        const data = typeof success.data === "string" ? innerOf(success) : recordOf(success.data);
        mustEqual(data?.["user_data"], user_data, "user_data");
      },
    },
    {
      number: 76,
      what: "sign-in works at any time, after subscriptions too, and on the next connection",
      run: async (stage) => {
        const channel = stage.name();
        const id = stage.name("user-");
        const client = await stage.subscriber(channel);
        await signIn(stage, client, { id });
        await stage.publish(channel, "still", "{}");
        await client.next("still");
        client.destroy();
        await signIn(stage, await stage.connect(), { id });
      },
    },
    {
      number: 77,
      what: "a server-to-user event arrives with channel #server-to-user-ID",
      run: async (stage) => {
        const id = stage.name("user-");
        const channel = `#server-to-user-${id}`;
        const [client, other] = [await stage.connect(), await stage.connect()];
        await signIn(stage, client, { id });
        await signIn(stage, other, { id: stage.name("user-") });
        await client.join(channel);
        await stage.publish(channel, "hello", "{}");
        mustEqual((await client.next("hello")).channel, channel, "channel");
        await stage.quiet(other);
        must(!other.frames.some(({ event }) => event === "hello"), "another user got it as well");
      },
    },
    {
      number: 78,
      what: "a watchlist is told as pusher_internal:watchlist_events with name and user_ids",
      run: async (stage) => {
        const [watched, absent] = [stage.name("user-"), stage.name("user-")];
        await signIn(stage, await stage.connect(), { id: watched });
        const watcher = await stage.connect();
        await signIn(stage, watcher, { id: stage.name("user-"), watchlist: [watched, absent] });
        const first = await watcher.next(WATCHLIST, `${WATCHLIST} (does the app have watchlists on?)`);
        must(!("channel" in first.fields), () => `with a channel: ${shown(first.raw)}`);
        mustEqual(eventsOf(first), [`offline ${absent}`, `online ${watched}`], "who is online and offline");
        await signIn(stage, await stage.connect(), { id: absent });
        const later = await watcher.next(WATCHLIST, `${WATCHLIST} for who comes online`);
        mustEqual(eventsOf(later), [`online ${absent}`], "who came online");
      },
    },
    {
      number: 79,
      what: "101 watched users get signin_success, and pusher:error 4302",
      run: async (stage) => {
        const client = await stage.connect();
        const watchlist = Array.from({ length: MAX_WATCHED + 1 }, (_, at) => `watched-${at}`);
        const ahead = client.next("pusher:error", "pusher:error 4302 (does the app have watchlists on?)");
        await signIn(stage, client, { id: stage.name("user-"), watchlist });
        mustEqual(errorOf(await ahead)["code"], 4302, "the code of pusher:error");
        await client.settled();
      },
    },
    {
      number: 80,
      what: "terminate closes who is signed in as the user, not who is the user on a presence channel",
      run: async (stage) => {
        const id = stage.name("user-");
        const channel = stage.name("presence-");
        const present = await stage.connect();
        await present.join(channel, memberData(id));
        const { otherNode } = stage.target;
        const signedIn = [
          await stage.connect(),
          await stage.connect(otherNode === undefined ? {} : { url: otherNode }),
        ];
        for (const client of signedIn) await signIn(stage, client, { id });
        const answer = await stage.post(`/users/${id}/terminate_connections`, "{}");
        mustEqual(answer.status, 200, "the status");
        for (const client of signedIn) {
          const { code } = await client.closed();
          must(code >= 4_000 && code < 4_300, `closed with ${code}`);
        }
        await present.settled();
      },
    },
  ],
};

/** @param user the object, or `user_data` as it is sent */
async function signIn(stage: Stage, client: Client, user: object | string): Promise<Frame> {
  const user_data = typeof user === "string" ? user : JSON.stringify(user);
  const auth = userAuth(stage.target.app, client.socketId, user_data);
  client.send({ event: "pusher:signin", data: { auth, user_data } });
  const answer = await client.next(isSignInAnswer, "an answer to pusher:signin");
  must(answer.event === "pusher:signin_success", () => `sign-in is answered by ${shown(answer.raw)}`);
  must(!("channel" in answer.fields), () => `signin_success with a channel: ${shown(answer.raw)}`);
  return answer;
}

/** An error of the watchlist comes beside the success. */
function isSignInAnswer(frame: Frame): boolean {
  if (frame.event === "pusher:signin_success") return true;
  return frame.event === "pusher:error" && recordOf(frame.data)?.["code"] !== 4302;
}

/** Each user with its state, in order. @throws Finding where the form is not the one that clients read */
function eventsOf(frame: Frame): string[] {
  const { events } = innerOf(frame);
  must(Array.isArray(events), () => `events is no array: ${shown(frame.raw)}`);
  const states = events.flatMap((event: unknown) => {
    const { name, user_ids } = recordOf(event) ?? {};
    must(Array.isArray(user_ids), () => `user_ids is no array: ${shown(frame.raw)}`);
    return user_ids.map((id: unknown) => `${String(name)} ${String(id)}`);
  });
  return states.sort();
}
