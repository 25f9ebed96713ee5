import type { Section } from "./check.ts";
import type { Client } from "./client.ts";
import { must, mustEqual, shown } from "./finding.ts";
import { errorOf, type Frame } from "./frame.ts";
import { channelAuth } from "./signing.ts";
import { isRefusal, type Stage } from "./stage.ts";

const SUCCEEDED = "pusher_internal:subscription_succeeded";
const WRONG = "0".repeat(64);

export const SUBSCRIBING: Section = {
  letter: "E",
  title: "Subscribing",
  checks: [
    {
      number: 33,
      what: 'a public subscribe with auth:"" works',
      run: async (stage) => {
        const client = await stage.connect();
        await client.join(stage.name(), { auth: "" });
      },
    },
    {
      number: 34,
      what: 'the data of a success is exactly "{}" on public, private and encrypted channels',
      run: async (stage) => {
        const client = await stage.connect();
        for (const prefix of ["", "private-", "private-encrypted-"]) {
          const frame = await client.join(stage.name(prefix));
          must(frame.data === "{}", () => `${shown(frame.raw)}`);
        }
      },
    },
    {
      number: 35,
      what: "no event of a channel comes before its subscription_succeeded",
      run: async (stage) => {
        const channels = ["", "private-", "private-encrypted-"].map((prefix) => stage.name(prefix));
        let isOver = false;
        const flood = (async () => {
          while (!isOver) await stage.publish(channels.slice(0, 2), "flood", "x");
        })();
        flood.catch(() => undefined); // awaited below
        try {
          for (let round = 0; round < 10; round++) {
            const client = await stage.connect();
            for (const channel of channels) {
              await client.join(channel);
              const [first] = client.of(channel);
              must(
                first?.event === SUCCEEDED,
                () => `the first frame of the channel is ${shown(first?.raw)}`,
              );
            }
            client.destroy();
          }
        } finally {
          isOver = true;
        }
        await flood;
      },
    },
    {
      number: 36,
      what: "a repeated subscribe gets an error; the first one lives on and nothing is doubled",
      run: async (stage) => {
        const channel = stage.name();
        const client = await stage.subscriber(channel);
        const from = client.frames.length;
        client.send({ event: "pusher:subscribe", data: { channel } });
        await stage.quiet(client);
        const answers = client.frames.slice(from).filter(({ event }) => event !== "pusher:pong");
        const again = answers.find(({ event }) => event === SUCCEEDED);
        must(again === undefined, () => `a second success: ${shown(again?.raw)}`);
        const error = answers.find(({ event }) => event === "pusher:error");
        must(error !== undefined, () => `no pusher:error but ${shown(answers.map(({ raw }) => raw))}`);
        mustEqual(errorOf(error)["code"], null, "the code of pusher:error");
        await stage.publish(channel, "once", "{}");
        await client.next("once");
        await stage.quiet(client);
        mustEqual(
          client.frames.filter(({ event }) => event === "once").length,
          1,
          "the number of times that an event arrives",
        );
        client.leave(channel);
        await stage.quiet(client);
        mustEqual(
          (await stage.get(`/channels/${channel}`)).json()["occupied"],
          false,
          "occupied after one unsubscribe",
        );
      },
    },
    {
      number: 37,
      what: "a bad signature gets pusher:error with code null; connection and other channels live on",
      run: async (stage) => {
        const [other, refused] = [stage.name(), stage.name("private-")];
        const client = await stage.subscriber(other);
        client.send({
          event: "pusher:subscribe",
          data: { channel: refused, auth: `${stage.target.app.key}:${WRONG}` },
        });
        await stage.quiet(client);
        mustHaveRefused(client, refused);
        const error = client.frames.find(({ event }) => event === "pusher:error");
        must(
          error !== undefined,
          () => `no pusher:error but ${shown(client.of(refused).map(({ raw }) => raw))}`,
        );
        mustEqual(errorOf(error)["code"], null, "the code of pusher:error");
        await mustStillHear(stage, client, other);
      },
    },
    {
      number: 38,
      what: "a refusal sends pusher_internal:subscription_error with the channel, for dotnet",
      run: async (stage) => {
        const channel = stage.name("private-");
        const client = await stage.connect();
        client.send({
          event: "pusher:subscribe",
          data: { channel, auth: `${stage.target.app.key}:${WRONG}` },
        });
        await stage.quiet(client);
        const frame = client.of(channel).find(({ event }) => event === "pusher_internal:subscription_error");
        must(
          frame !== undefined,
          () =>
            `none came, but ${shown(
              client.frames
                .slice(1)
                .filter(isRefusal)
                .map(({ raw }) => raw),
            )}`,
        );
      },
    },
    {
      number: 39,
      what: "channel_data on a private channel is part of what is signed",
      run: async (stage) => {
        const client = await stage.connect();
        const channel_data = '{"more": "ë"}';
        await client.join(stage.name("private-"), { channel_data });
        const channel = stage.name("private-");
        const answer = await client.subscribe(channel, { channel_data, auth: client.authFor(channel) });
        must(isRefusal(answer), () => `a signature without channel_data is taken: ${shown(answer.raw)}`);
      },
    },
    {
      number: 40,
      what: "a private subscribe without auth is refused, and nothing crashes",
      run: async (stage) => {
        const client = await stage.connect();
        for (const prefix of ["private-", "private-encrypted-", "presence-"]) {
          for (const extra of [{}, { auth: null }, { auth: 7 }, { auth: {} }, { auth: "" }, { auth: ":" }]) {
            await mustRefuse(client, { channel: stage.name(prefix), ...extra });
          }
        }
      },
    },
    {
      number: 41,
      what: "channel_data that is an object is refused, and nothing crashes",
      run: async (stage) => {
        const client = await stage.connect();
        const channel = stage.name("presence-");
        const channel_data = { user_id: "u-7" };
        const auth = client.authFor(channel, JSON.stringify(channel_data));
        await mustRefuse(client, { channel, auth, channel_data });
      },
    },
    {
      number: 42,
      what: "the right signature behind another key is refused",
      run: async (stage) => {
        const client = await stage.connect();
        const channel = stage.name("private-");
        const { app } = stage.target;
        const auth = channelAuth({ ...app, key: "0000000000000000beef" }, client.socketId, channel);
        await mustRefuse(client, { channel, auth });
      },
    },
    {
      number: 43,
      what: "channel names of 164 and 200 characters work; bad characters are refused",
      run: async (stage) => {
        const client = await stage.connect();
        for (const length of [164, 200]) await client.join(stage.name().padEnd(length, "x"));
        await client.join(`${stage.name()}_-=@,.;`);
        for (const character of [" ", ":", "/", "é", "#", "!"]) {
          await mustRefuse(client, { channel: `${stage.name()}${character}x` });
        }
      },
    },
    {
      number: 44,
      what: "#server-to-user-x cannot be subscribed by who is not signed in as x",
      run: async (stage) => {
        const client = await stage.connect();
        const channel = `#server-to-user-${stage.name("user-")}`;
        await mustRefuse(client, { channel, auth: "" });
      },
    },
    {
      number: 45,
      what: "unsubscribe has no reply, events stop, and the same auth subscribes again",
      run: async (stage) => {
        const channel = stage.name("private-");
        const client = await stage.connect();
        const auth = client.authFor(channel);
        await client.join(channel, { auth });
        const from = client.frames.length;
        client.leave(channel);
        await client.settled();
        await stage.publish(channel, "after", "{}");
        await stage.quiet(client);
        const came = client.frames
          .slice(from)
          .filter(({ event }) => !["pusher:pong", "pusher_internal:subscription_count"].includes(event));
        must(came.length === 0, () => `after it came ${shown(came.map(({ raw }) => raw))}`);
        client.leave(channel);
        await client.settled();
        await client.join(channel, { auth });
        client.leave(channel);
        await client.join(channel, { auth });
        await mustStillHear(stage, client, channel);
      },
    },
    {
      number: 46,
      what: "unsubscribing from something unknown is a non-fatal error or silence",
      run: async (stage) => {
        const client = await stage.connect();
        client.leave(stage.name());
        client.leave(stage.name("private-"));
        await stage.quiet(client);
        for (const frame of client.frames.filter(({ event }) => event === "pusher:error"))
          mustEqual(errorOf(frame)["code"], null, "the code of pusher:error");
      },
    },
  ],
};

/** Subscribes with exactly these members. @throws Finding unless that is refused and the connection lives on */
async function mustRefuse(client: Client, data: Readonly<Record<string, unknown>>): Promise<void> {
  const from = client.frames.length;
  client.send({ event: "pusher:subscribe", data });
  const isAnswer = (frame: Frame) =>
    (frame.channel === data["channel"] && frame.event === SUCCEEDED) || isRefusal(frame);
  const answer = await client.next(isAnswer, `an answer to the subscribe ${shown(data)}`, undefined, from);
  must(isRefusal(answer), () => `${shown(data)} is answered by ${shown(answer.raw)}`);
  await client.settled();
}

function mustHaveRefused(client: Client, channel: string): void {
  const success = client.of(channel).find(({ event }) => event === SUCCEEDED);
  must(success === undefined, () => `it was accepted: ${shown(success?.raw)}`);
}

async function mustStillHear(stage: Stage, client: Client, channel: string): Promise<void> {
  await stage.publish(channel, "still", "{}");
  await client.next("still", "an event of the channel that was subscribed before");
}
