import type { Section } from "./check.ts";
import { must, mustEqual, NotShown, shown } from "./finding.ts";
import { innerOf, recordOf } from "./frame.ts";
import { memberData } from "./stage.ts";

export const LARAVEL_ECHO: Section = {
  letter: "M",
  title: "Laravel Echo",
  checks: [
    {
      number: 116,
      what: "the socket id that Echo puts into X-Socket-Id is left out where it is passed as socket_id",
      run: async (stage) => {
        const channel = stage.name();
        const [own, other] = [await stage.subscriber(channel), await stage.subscriber(channel)];
        await stage.publish(channel, "said", "{}", { socket_id: own.socketId });
        await other.next("said");
        await stage.quiet(own);
        must(!own.frames.some(({ event }) => event === "said"), "it was sent to the excluded connection too");
      },
    },
    {
      number: 117,
      what: "here(): the values of hash are no nulls",
      run: async (stage) => {
        const client = await stage.connect();
        const success = await client.join(stage.name("presence-"), memberData("ann"));
        const hash = recordOf(recordOf(innerOf(success)["presence"])?.["hash"]);
        must(
          hash !== undefined && Object.hasOwn(hash, "ann"),
          () => `the user is no key of hash: ${shown(success.raw)}`,
        );
        must(hash["ann"] !== null && hash["ann"] !== undefined, () => `null in ${shown(success.raw)}`);
      },
    },
    {
      number: 118,
      what: "error(): a refused subscription sends pusher:subscription_error on the channel",
      run: async (stage) => {
        const client = await stage.connect();
        const channel = stage.name("private-");
        client.send({
          event: "pusher:subscribe",
          data: { channel, auth: `${stage.target.app.key}:${"0".repeat(64)}` },
        });
        await stage.quiet(client);
        const frame = client.of(channel).find(({ event }) => event === "pusher:subscription_error");
        must(frame !== undefined, "none came");
      },
    },
    {
      number: 119,
      what: "whisper('typing'): client-typing reaches the others on the private channel",
      run: async (stage) => {
        const channel = stage.name("private-");
        const [speaker, other] = [await stage.subscriber(channel), await stage.subscriber(channel)];
        speaker.send({ event: "client-typing", channel, data: { on: true } });
        await stage.quiet(speaker, other);
        const heard = other.frames.find(({ event }) => event === "client-typing");
        const told = speaker.frames.find(({ event }) => event === "pusher:error");
        if (heard === undefined && told !== undefined && /enable|feature/i.test(told.raw))
          throw new NotShown("the app has client events off: name one that allows them");
        must(heard !== undefined, () => `it was not relayed; the speaker was told ${shown(told?.raw)}`);
      },
    },
    {
      number: 120,
      what: "leave(name): unsubscribing from all variants of a name at once ends each",
      run: async (stage) => {
        const client = await stage.connect();
        const base = stage.name();
        const channels = ["", "private-", "private-encrypted-", "presence-"].map((prefix) => prefix + base);
        for (const channel of channels)
          await client.join(channel, channel.startsWith("presence-") ? memberData("ann") : {});
        for (const channel of channels) client.leave(channel);
        await stage.quiet(client);
        for (const channel of channels) {
          const answer = await stage.get(`/channels/${channel}`);
          mustEqual(answer.json()["occupied"], false, `occupied of ${channel}`);
          await stage.publish(channel, "after", "{}");
        }
        await stage.quiet(client);
        must(!client.frames.some(({ event }) => event === "after"), "an event came after that");
      },
    },
    {
      number: 121,
      what: "event names may hold backslashes, dots, spaces and other characters",
      run: async (stage) => {
        const channel = stage.name();
        const client = await stage.subscriber(channel);
        for (const name of ["App\\Events\\OrderShipped", "order.shipped", "a name, Zoë & 😀"]) {
          await stage.publish(channel, name, "{}");
          await client.next(name, `the event ${name}`);
        }
      },
    },
  ],
};
