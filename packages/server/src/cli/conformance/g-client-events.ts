import type { Section } from "./check.ts";
import type { Client } from "./client.ts";
import { must, mustEqual, NotShown, shown } from "./finding.ts";
import { errorOf, type Frame, recordOf } from "./frame.ts";
import type { Stage } from "./stage.ts";
import type { Target } from "./target.ts";

const EVENT = "client-typing";
const MAX_BYTES = 10_240; // the documented limit of one event's data
const A_SECOND_MS = 1_100;

export const CLIENT_EVENTS: Section = {
  letter: "G",
  title: "Client events",
  checks: [
    {
      number: 57,
      what: "relayed data is a string, also where an object was sent",
      run: async (stage) => {
        const { sender, receiver, channel } = await pair(stage);
        sender.send({ event: EVENT, channel, data: { on: true } });
        mustEqual((await receiver.next(EVENT)).data, '{"on":true}', "data");
      },
    },
    {
      number: 58,
      what: "data sent as a string of JSON is relayed as it is",
      run: async (stage) => {
        const { sender, receiver, channel } = await pair(stage);
        for (const data of ['{"on": true}', "not json", '"quoted"', ""]) {
          sender.send({ event: EVENT, channel, data });
          mustEqual((await receiver.next(EVENT)).data, data, "data");
        }
      },
    },
    {
      number: 59,
      what: "an event without data is accepted",
      run: async (stage) => {
        const { sender, receiver, channel } = await pair(stage);
        sender.send({ event: EVENT, channel });
        const frame = await receiver.next(EVENT);
        must(typeof frame.data === "string", () => `relayed without a string as data: ${shown(frame.raw)}`);
      },
    },
    {
      number: 60,
      what: "user_id is the server's, a string at the top, and only on presence channels",
      run: async (stage) => {
        const { sender, receiver, channel } = await pair(stage);
        const forged = { user_id: "forged", userId: "forged", extra: "forged" };
        sender.send({ event: EVENT, channel, data: {}, ...forged });
        const plain = await receiver.next(EVENT);
        must(!plain.raw.includes("forged"), () => `relayed on a private channel: ${shown(plain.raw)}`);

        const room = stage.name("presence-");
        const [observer, ann] = [await stage.member(room, "observer"), await stage.member(room, 7)];
        ann.send({ event: EVENT, channel: room, data: {}, ...forged });
        const signed = await observer.next(EVENT);
        mustEqual(signed.fields["user_id"], "7", "user_id on a presence channel");
        must(!signed.raw.includes("forged"), () => `relayed on a presence channel: ${shown(signed.raw)}`);
      },
    },
    {
      number: 61,
      what: "it is not echoed, and delivered once to each other subscriber",
      run: async (stage) => {
        const { sender, receiver, channel } = await pair(stage);
        const { otherNode } = stage.target;
        const third = await stage.connect(otherNode === undefined ? {} : { url: otherNode });
        await third.join(channel);
        sender.send({ event: EVENT, channel, data: {} });
        await Promise.all([receiver.next(EVENT), third.next(EVENT)]);
        await stage.quiet(sender, receiver, third);
        const counts = [sender, receiver, third].map((client) => of(client, EVENT).length);
        mustEqual(counts, [0, 1, 1], "how often the sender and two others heard it");
      },
    },
    {
      number: 62,
      what: "a client event on a public channel is refused",
      run: async (stage) => {
        await needClientEvents(stage);
        const channel = stage.name();
        const receiver = await stage.subscriber(channel);
        const sender = await stage.subscriber(channel);
        sender.send({ event: EVENT, channel, data: {} });
        await mustNotHear(stage, sender, receiver, EVENT);
      },
    },
    {
      number: 63,
      what: "a client event of who is not subscribed is refused",
      run: async (stage) => {
        const { receiver, channel } = await pair(stage);
        const stranger = await stage.connect();
        stranger.send({ event: EVENT, channel, data: {} });
        await mustNotHear(stage, stranger, receiver, EVENT);
      },
    },
    {
      number: 64,
      what: "pusher:x, pusher_internal:x and xclient-y are never relayed",
      run: async (stage) => {
        const { sender, receiver, channel } = await pair(stage);
        for (const event of [
          "pusher:x",
          "pusher_internal:x",
          "pusher_internal:member_removed",
          "xclient-y",
          "Client-y",
        ]) {
          sender.send({ event, channel, data: {} });
          await mustNotHear(stage, sender, receiver, event);
        }
      },
    },
    {
      number: 65,
      what: "the eleventh event within a second gets pusher:error 4301, and the connection stays",
      run: async (stage) => {
        const { sender, receiver, channel } = await pair(stage);
        await Bun.sleep(A_SECOND_MS);
        for (let at = 1; at <= 11; at++) sender.send({ event: EVENT, channel, data: { at } });
        const error = errorOf(await sender.next("pusher:error"));
        mustEqual(error["code"], 4301, "the code of pusher:error");
        await stage.quiet(sender, receiver);
        mustEqual(of(receiver, EVENT).length, 10, "the number of events that were relayed");
      },
    },
    {
      number: 66,
      what: "where the app has client events off, one gets an error and the connection stays",
      run: async (stage) => {
        const channel = stage.name("private-");
        const [receiver, sender] = [await stage.subscriber(channel), await stage.subscriber(channel)];
        sender.send({ event: EVENT, channel, data: {} });
        await stage.quiet(sender, receiver);
        if (of(receiver, EVENT).length > 0)
          throw new NotShown("needs an app with client events off; name one with --app and add --only 66");
        mustBeTold(sender);
        await sender.settled();
      },
    },
    {
      number: 67,
      what: "the limit of an event's data counts UTF-8 bytes",
      run: async (stage) => {
        const { sender, receiver, channel } = await pair(stage);
        const exact = "é".repeat(MAX_BYTES / 2);
        sender.send({ event: EVENT, channel, data: exact });
        const frame = await receiver.next(
          EVENT,
          `the event with ${MAX_BYTES} bytes in ${exact.length} characters`,
        );
        mustEqual(frame.data === exact, true, "that it arrived whole");
        sender.send({ event: "client-large", channel, data: `${exact}x` });
        await mustNotHear(stage, sender, receiver, "client-large");
      },
    },
  ],
};

const allowed = new WeakMap<Target, Promise<boolean>>();

/** Whether the app lets clients send events: what is not relayed and answered by an error is off. */
function allowsClientEvents(stage: Stage): Promise<boolean> {
  let answer = allowed.get(stage.target);
  if (answer === undefined) {
    answer = ask(stage);
    answer.catch(() => undefined); // whoever asks first hears of it
    allowed.set(stage.target, answer);
  }
  return answer;
}

async function ask(stage: Stage): Promise<boolean> {
  const channel = stage.name("private-");
  const [receiver, sender] = [await stage.subscriber(channel), await stage.subscriber(channel)];
  sender.send({ event: EVENT, channel, data: "{}" });
  await stage.quiet(sender, receiver);
  if (of(receiver, EVENT).length > 0) return true;
  // An error that speaks of something to enable or a feature is the switch; anything else is for the checks to find.
  const told = sender.frames.find(({ event }) => event === "pusher:error");
  return told === undefined || !/enable|feature|not (allowed|have)/i.test(told.raw);
}

export async function needClientEvents(stage: Stage): Promise<void> {
  if (!(await allowsClientEvents(stage)))
    throw new NotShown("the app has client events off: name one that allows them");
}

/** Two who are subscribed to one private channel, in an app that allows client events. */
async function pair(stage: Stage): Promise<{ sender: Client; receiver: Client; channel: string }> {
  await needClientEvents(stage);
  const channel = stage.name("private-");
  const receiver = await stage.subscriber(channel);
  return { sender: await stage.subscriber(channel), receiver, channel };
}

function of(client: Client, event: string): Frame[] {
  return client.frames.filter((frame) => frame.event === event);
}

async function mustNotHear(stage: Stage, sender: Client, receiver: Client, event: string): Promise<void> {
  await Bun.sleep(100);
  await stage.quiet(sender, receiver);
  const [heard] = of(receiver, event);
  must(heard === undefined, () => `it was relayed: ${shown(heard?.raw)}`);
}

function mustBeTold(sender: Client): void {
  const told = sender.frames.find(({ event }) => event === "pusher:error");
  must(told !== undefined, "the sender was told nothing");
  must(recordOf(told.data) !== undefined, () => `the error's data is no object: ${shown(told.raw)}`);
}
