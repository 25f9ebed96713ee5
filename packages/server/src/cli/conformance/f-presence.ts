import type { Section } from "./check.ts";
import { must, mustEqual, shown } from "./finding.ts";
import { type Frame, innerOf, recordOf } from "./frame.ts";
import { userAuth } from "./signing.ts";
import { isRefusal, memberData, userOf } from "./stage.ts";

const ADDED = "pusher_internal:member_added";
const REMOVED = "pusher_internal:member_removed";
const LEFT_MS = 5_000; // ours

export const PRESENCE: Section = {
  letter: "F",
  title: "Presence",
  checks: [
    {
      number: 47,
      what: "a success has ids, hash and count of distinct users, the joiner among them",
      run: async (stage) => {
        const channel = stage.name("presence-");
        await stage.member(channel, "ann", { name: "Ann" });
        await stage.member(channel, "ann", { name: "Ann" });
        const client = await stage.connect();
        const list = listOf(await client.join(channel, memberData("bo", { name: "Bo" })));
        mustEqual([...list.ids].sort(), ["ann", "bo"], "ids");
        mustEqual(list.hash, { ann: { name: "Ann" }, bo: { name: "Bo" } }, "hash");
        mustEqual(list.count, 2, "count");
      },
    },
    {
      number: 48,
      what: "every id of ids is a key of hash",
      run: async (stage) => {
        const channel = stage.name("presence-");
        await stage.member(channel, "ann");
        await stage.member(channel, 7);
        const client = await stage.connect();
        const { ids, hash } = listOf(await client.join(channel, memberData("bo", { name: "Bo" })));
        for (const id of ids)
          must(Object.hasOwn(hash, String(id)), () => `${shown(id)} is not in ${shown(hash)}`);
      },
    },
    {
      number: 49,
      what: "hash is an object with numeric ids and without info too",
      run: async (stage) => {
        const client = await stage.connect();
        const { hash } = listOf(await client.join(stage.name("presence-"), memberData(0)));
        mustEqual(Object.keys(hash), ["0"], "the keys of hash");
      },
    },
    {
      number: 50,
      what: "a numeric user_id works, and comes out as a string",
      run: async (stage) => {
        const channel = stage.name("presence-");
        const observer = await stage.member(channel, "observer");
        const client = await stage.connect();
        const { ids } = listOf(await client.join(channel, memberData(42, { name: "Zoë" })));
        mustEqual([...ids].sort(), ["42", "observer"], "ids");
        mustEqual(userOf(await observer.next(ADDED)), "42", "user_id of member_added");
        client.leave(channel);
        mustEqual(userOf(await observer.next(REMOVED)), "42", "user_id of member_removed");
      },
    },
    {
      number: 51,
      what: "a user's second connection makes no member_added, the first to leave no member_removed",
      run: async (stage) => {
        const channel = stage.name("presence-");
        const observer = await stage.member(channel, "observer");
        const first = await stage.member(channel, "ann");
        await observer.next(ADDED);
        await stage.member(channel, "ann");
        first.leave(channel);
        await stage.quiet(observer);
        const more = observer.frames.filter(({ event }) => event === ADDED || event === REMOVED).slice(1);
        must(more.length === 0, () => `there came ${shown(more.map(({ raw }) => raw))}`);
      },
    },
    {
      number: 52,
      what: "who joins is not sent its own member_added",
      run: async (stage) => {
        const channel = stage.name("presence-");
        const client = await stage.member(channel, "ann");
        await stage.quiet(client);
        const own = client.frames.find(({ event }) => event === ADDED);
        must(own === undefined, () => shown(own?.raw));
      },
    },
    {
      number: 53,
      what: "member_added works without user_info",
      run: async (stage) => {
        const channel = stage.name("presence-");
        const observer = await stage.member(channel, "observer");
        await stage.member(channel, "ann");
        mustEqual(userOf(await observer.next(ADDED)), "ann", "user_id of member_added");
      },
    },
    {
      number: 54,
      what: "a signed-in connection may subscribe to presence without channel_data",
      run: async (stage) => {
        const channel = stage.name("presence-");
        const client = await stage.connect();
        const id = stage.name("user-");
        const user_data = JSON.stringify({ id, user_info: { name: "Zoë" } });
        const auth = userAuth(stage.target.app, client.socketId, user_data);
        client.send({ event: "pusher:signin", data: { auth, user_data } });
        await client.next("pusher:signin_success");
        const { ids, hash } = listOf(await client.join(channel));
        mustEqual(ids, [id], "ids");
        mustEqual(hash, { [id]: { name: "Zoë" } }, "hash");
      },
    },
    {
      number: 55,
      what: "an abrupt end makes member_removed, on another node too where one is named",
      run: async (stage) => {
        const channel = stage.name("presence-");
        const observer = await stage.member(channel, "observer", undefined, stage.target.otherNode);
        const client = await stage.member(channel, "ann");
        await observer.next(ADDED);
        client.destroy();
        const removed = await observer.next(REMOVED, REMOVED, LEFT_MS);
        mustEqual(userOf(removed), "ann", "user_id of member_removed");
      },
    },
    {
      number: 56,
      what: "a user who joins on two nodes at once makes exactly one member_added",
      run: async (stage) => {
        const other = stage.otherNode();
        for (let round = 0; round < 5; round++) {
          const channel = stage.name("presence-");
          const observer = await stage.member(channel, "observer");
          await Promise.all([
            stage.member(channel, "ann"),
            stage.member(channel, "ann", undefined, other),
            stage.member(channel, "ann"),
          ]);
          await observer.next(ADDED);
          await stage.quiet(observer);
          const added = observer.frames.filter(({ event }) => event === ADDED);
          mustEqual(added.length, 1, "the number of member_added");
        }
      },
    },
  ],
};

interface MemberList {
  readonly ids: readonly unknown[];
  readonly hash: Readonly<Record<string, unknown>>;
  readonly count: unknown;
}

/** The members in a success. @throws Finding where they have not the form that clients read */
function listOf(success: Frame): MemberList {
  must(!isRefusal(success), () => shown(success.raw));
  const presence = recordOf(innerOf(success)["presence"]);
  must(presence !== undefined, () => `no presence in ${shown(success.raw)}`);
  const { ids, hash, count } = presence;
  must(Array.isArray(ids), () => `ids is no array: ${shown(success.raw)}`);
  const members = recordOf(hash);
  must(members !== undefined, () => `hash is no object: ${shown(success.raw)}`);
  return { ids, hash: members, count };
}
