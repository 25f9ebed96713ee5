import type { Section } from "./check.ts";
import type { Client } from "./client.ts";
import { must, mustEqual, shown } from "./finding.ts";
import type { Frame } from "./frame.ts";
import { memberData, type Stage } from "./stage.ts";

const CACHING = ["cache-", "private-cache-", "private-encrypted-cache-", "presence-cache-"];
const SUCCEEDED = "pusher_internal:subscription_succeeded";
const NOISE = ["pusher_internal:subscription_count", "pusher_internal:member_added", "pusher:pong"];

export const CACHE: Section = {
  letter: "H",
  title: "Cache and encrypted channels",
  checks: [
    {
      number: 68,
      what: "the success comes first, then the cached event under its own name with channel",
      run: async (stage) => {
        const channel = stage.name("cache-");
        await stage.publish(channel, "price", '{"p":1}');
        const [success, event, ...rest] = await greeting(stage, channel);
        mustEqual(success?.event, SUCCEEDED, "the first frame");
        must(event !== undefined, "no cached event came");
        mustEqual(
          [event.event, event.channel, event.data],
          ["price", channel, '{"p":1}'],
          "the event, its channel and data",
        );
        mustEqual(rest.length, 0, "the number of frames after it");
      },
    },
    {
      number: 69,
      what: 'pusher:cache_miss has channel and data "{}"',
      run: async (stage) => {
        const channel = stage.name("cache-");
        const [, miss] = await greeting(stage, channel);
        must(miss !== undefined, "nothing came after the success");
        mustEqual(
          [miss.event, miss.channel, miss.data],
          ["pusher:cache_miss", channel, "{}"],
          "the event, its channel and data",
        );
      },
    },
    {
      number: 70,
      what: "all four cache prefixes cache; my-cache-x does not",
      run: async (stage) => {
        for (const prefix of CACHING) {
          const channel = stage.name(prefix);
          await stage.publish(channel, "price", "1");
          const names = (await greeting(stage, channel)).map(({ event }) => event);
          mustEqual(names, [SUCCEEDED, "price"], `what a newcomer to ${prefix} is sent`);
        }
        for (const prefix of ["my-cache-", "private-x-cache-"]) {
          const channel = stage.name(prefix);
          await stage.publish(channel, "price", "1");
          const names = (await greeting(stage, channel)).map(({ event }) => event);
          mustEqual(names, [SUCCEEDED], `what a newcomer to ${prefix} is sent`);
        }
      },
    },
    {
      number: 71,
      what: "client events and member events are not cached",
      run: async (stage) => {
        const channel = stage.name("presence-cache-");
        await stage.publish(channel, "price", "1");
        const [, sender] = [await stage.member(channel, "a"), await stage.member(channel, "b")];
        sender.send({ event: "client-x", channel, data: "{}" });
        await stage.quiet(sender);
        sender.leave(channel);
        await stage.quiet(sender);
        const names = (await greeting(stage, channel)).map(({ event }) => event);
        mustEqual(names, [SUCCEEDED, "price"], "what a newcomer is sent after them");
      },
    },
    {
      number: 72,
      what: "what is published to an empty cache channel is there for who comes",
      run: async (stage) => {
        const channel = stage.name("private-cache-");
        await stage.publish(channel, "price", "1");
        mustEqual((await greeting(stage, channel)).at(1)?.data, "1", "data for the first to come");
        await stage.publish(channel, "price", "2");
        await Bun.sleep(300);
        mustEqual((await greeting(stage, channel)).at(1)?.data, "2", "data after everybody had gone");
      },
    },
    {
      number: 73,
      what: "an encrypted payload passes unchanged, base64's + and / too",
      run: async (stage) => {
        const channel = stage.name("private-encrypted-");
        const client = await stage.subscriber(channel);
        const data = `{"nonce":"${"+/".repeat(16)}","ciphertext":"++//++//0/+=\\/ "}`;
        await stage.publish(channel, "secret", data);
        const frame = await client.next("secret");
        must(frame.data === data, () => `it arrived as ${shown(frame.raw)}`);
      },
    },
  ],
};

let users = 0;

/** What a newcomer is sent for its subscribe, without counts and members. */
async function greeting(stage: Stage, channel: string): Promise<Frame[]> {
  const client: Client = await stage.connect();
  users++;
  await client.join(channel, channel.startsWith("presence-") ? memberData(`u-${users}`) : {});
  await stage.quiet(client);
  client.destroy();
  return client.frames.slice(1).filter(({ event }) => !NOISE.includes(event) && !event.startsWith("("));
}
