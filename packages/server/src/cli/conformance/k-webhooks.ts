import type { Section } from "./check.ts";
import { type Delivery, isFiltered, isSignedWith, isWanted, type Signer, textOf } from "./delivery.ts";
import { Finding, must, mustEqual, NotShown, shown } from "./finding.ts";
import { parsed } from "./frame.ts";
import { needClientEvents } from "./g-client-events.ts";
import type { Stage } from "./stage.ts";
import type { SendingApp, Target, WebhookSide } from "./target.ts";
import type { Told } from "./webhook-receiver.ts";

const EVENT = "client-typing";
const MAX_AGE_MS = 300_000; // python's library refuses older ones
const VACATED_MS = 30_000; // ours: the documented 3 s, and a server that settles after its start
const FIRST_RETRY_MS = 30_000; // ours
const SECOND_RETRY_MS = 60_000; // ours
const QUIET_MS = 500; // ours: what a server needs to send what it should not
const PATIENT_MS = 120_000; // ours: the waits above, one after another
const CHANNELS_OF_APP = 15; // ours: enough to meet in one batch

/** What a reload must not cause. */
const STATES = ["channel_occupied", "channel_vacated", "member_added", "member_removed"];

export const WEBHOOKS: Section = {
  letter: "K",
  title: "Webhooks",
  checks: [
    {
      number: 100,
      what: "Content-Type is exactly application/json",
      run: async (stage) => {
        const { delivery } = await occupied(stage);
        mustEqual(delivery.method, "POST", "the method");
        mustEqual(delivery.headers.get("content-type"), "application/json", "Content-Type");
      },
    },
    {
      number: 101,
      what: "data of client_event is a string, user_id too",
      run: async (stage) => {
        const { receiver } = await needWebhooks(stage);
        await needClientEvents(stage);
        const channel = stage.name("private-");
        const sender = await stage.subscriber(channel);
        sender.send({ event: EVENT, channel, data: { on: true } });
        const first = await receiver.told(channel, "client_event");
        const { data } = first.event;
        must(typeof data === "string", () => `data is not a string: ${shown(first.event)}`);
        mustEqual(parsed(data), { on: true }, "what data holds");
        must(!("user_id" in first.event), () => `user_id on a private channel: ${shown(first.event)}`);
        sender.send({ event: EVENT, channel, data: '{"on": false}' });
        const second = await receiver.told(channel, "client_event", { at: 1 });
        mustEqual(second.event["data"], '{"on": false}', "data that was sent as a string");

        const room = stage.name("presence-");
        const member = await stage.member(room, 7);
        member.send({ event: EVENT, channel: room, data: {} });
        const signed = await receiver.told(room, "client_event");
        mustEqual(signed.event["user_id"], "7", "user_id of client_event");
        const added = await receiver.told(room, "member_added");
        mustEqual(added.event["user_id"], "7", "user_id of member_added");
        for (const { event } of [first, second, signed, added]) mustBeFlat(event);
      },
    },
    {
      number: 102,
      what: "time_ms is whole milliseconds, within five minutes",
      run: async (stage) => {
        const { timeMs, arrivedMs } = (await occupied(stage)).delivery;
        must(Number.isSafeInteger(timeMs), () => `time_ms is ${JSON.stringify(timeMs)}, no whole number`);
        const awayMs = Math.abs(arrivedMs - Number(timeMs));
        must(awayMs <= MAX_AGE_MS, `time_ms is ${timeMs}, which is ${awayMs} ms away from now`);
      },
    },
    {
      number: 103,
      what: "the signature is over the bytes sent, after filtering",
      run: async (stage) => {
        const { receiver, apps } = await needWebhooks(stage);
        const channels = [stage.name(), stage.name("private-"), stage.name("presence-")];
        const client = await stage.connect();
        const [open = "", secret = "", room = ""] = channels;
        const channel_data = '{"user_id":"ann"}';
        // At once, so that a server that batches has them in one batch.
        client.send({ event: "pusher:subscribe", data: { channel: open } });
        client.send({ event: "pusher:subscribe", data: { channel: secret, auth: client.authFor(secret) } });
        const auth = client.authFor(room, channel_data);
        client.send({ event: "pusher:subscribe", data: { channel: room, auth, channel_data } });
        for (const channel of channels)
          mustBeSigned((await receiver.told(channel, "channel_occupied")).delivery, apps);

        const ours = ({ events }: Delivery) =>
          events.filter(({ channel }) => channels.includes(String(channel)));
        const filtered = () =>
          receiver.deliveries.filter((each) => isFiltered(each) && ours(each).length > 0);
        if (!(await receiver.until(() => filtered().length > 0, stage.target.answerMs)))
          throw new NotShown(
            "the signature is right; what is sent after filtering needs a second endpoint, whose address tells its filter: such as http://HOST:PORT/?events=channel_occupied&prefix=private-",
          );
        await Bun.sleep(QUIET_MS);
        for (const delivery of filtered()) {
          mustBeSigned(delivery, apps);
          const surplus = ours(delivery).find((event) => !isWanted(delivery, event));
          must(surplus === undefined, () => `sent to ${delivery.path}: ${shown(surplus)}`);
        }
      },
    },
    {
      number: 104,
      what: "a page reload within 3 s makes no webhook",
      limitMs: PATIENT_MS,
      run: async (stage) => {
        const { receiver, delayMs } = await needWebhooks(stage);
        const [page, room] = [stage.name(), stage.name("presence-")];
        const [left, leftRoom] = [stage.name(), stage.name("presence-")];
        const reader = await stage.member(room, "ann");
        await reader.join(page);
        // Somebody who leaves at the same moment and stays away shows when the time is over.
        const leaver = await stage.member(leftRoom, "ann");
        await leaver.join(left);
        for (const channel of [page, left]) await receiver.told(channel, "channel_occupied");
        for (const channel of [room, leftRoom]) await receiver.told(channel, "member_added");
        const states = () => statesOf([...receiver.about(page), ...receiver.about(room)]);
        const before = states();
        reader.destroy();
        leaver.destroy();
        await Bun.sleep(delayMs / 3);
        const again = await stage.member(room, "ann");
        await again.join(page);
        await receiver.told(left, "channel_vacated", { timeoutMs: VACATED_MS });
        await receiver.told(leftRoom, "member_removed", { timeoutMs: VACATED_MS });
        await Bun.sleep(QUIET_MS);
        const more = states().filter((told) => !before.some(({ event }) => event === told.event));
        const names = [...new Set(more.map(({ event }) => String(event["name"])))].sort();
        must(more.length === 0, () => `who came back after ${delayMs / 3} ms made ${names.join(", ")}`);
      },
    },
    {
      number: 105,
      what: "channel_vacated only if no node has a subscriber",
      limitMs: PATIENT_MS,
      run: async (stage) => {
        const { receiver } = await needWebhooks(stage);
        const { otherNode } = stage.target;
        const [channel, left] = [stage.name(), stage.name()];
        const first = await stage.subscriber(channel);
        await first.join(left);
        const second = await stage.connect(otherNode === undefined ? {} : { url: otherNode });
        await second.join(channel);
        for (const each of [channel, left]) await receiver.told(each, "channel_occupied");
        first.destroy();
        await receiver.told(left, "channel_vacated", { timeoutMs: VACATED_MS });
        await Bun.sleep(QUIET_MS);
        const early = receiver.about(channel).find(({ event }) => event["name"] === "channel_vacated");
        must(early === undefined, () => `told while one subscriber was left: ${shown(early?.event)}`);
        second.destroy();
        await receiver.told(channel, "channel_vacated", { timeoutMs: VACATED_MS });
      },
    },
    {
      number: 106,
      what: "a batch never mixes apps",
      run: async (stage) => {
        const { receiver, apps } = await needWebhooks(stage);
        const [, second] = apps;
        const key = second?.signers[0]?.key;
        if (second === undefined || key === undefined)
          throw new NotShown("needs a second app that sends its webhooks here: --second-app ID:KEY:SECRET");
        const clients = [await stage.connect(), await stage.connect({ key })];
        const rounds = Array.from({ length: CHANNELS_OF_APP }, () => clients.map(() => stage.name()));
        for (const round of rounds)
          for (const [at, channel = ""] of round.entries())
            clients[at]?.send({ event: "pusher:subscribe", data: { channel } });
        for (const round of rounds)
          for (const [at, channel = ""] of round.entries()) {
            const { delivery } = await receiver.told(channel, "channel_occupied");
            const given = delivery.headers.get("x-pusher-key");
            const others = apps.find(({ signers }, other) => other !== at && signers.some(hasKey(given)));
            must(
              others === undefined,
              () => `an event of app ${apps[at]?.id} was sent with the key of app ${others?.id}`,
            );
            mustBeSigned(delivery, apps);
          }
      },
    },
    {
      number: 107,
      what: "what is answered by a 500 is sent again, and again",
      limitMs: PATIENT_MS,
      run: async (stage) => {
        const { receiver, apps } = await needWebhooks(stage);
        const channel = stage.name();
        receiver.refuse(channel, 2);
        const attempts = () =>
          receiver.deliveries.filter(
            (delivery) =>
              !isFiltered(delivery) && delivery.events.some((event) => event["channel"] === channel),
          );
        await stage.subscriber(channel);
        await receiver.until(() => attempts().length > 0);
        await receiver.until(() => attempts().length > 1, FIRST_RETRY_MS);
        const tries = attempts().length;
        must(tries > 0, "it was never sent");
        must(tries > 1, `not sent again within ${FIRST_RETRY_MS / 1_000} s after a 500`);
        const last = await receiver.told(channel, "channel_occupied", { timeoutMs: SECOND_RETRY_MS });
        for (const delivery of attempts()) {
          mustBeSigned(delivery, apps);
          const again = delivery.events.find((event) => event["channel"] === channel);
          mustEqual(again, last.event, "the event of an earlier attempt");
        }
      },
    },
    {
      number: 108,
      what: "a presence user's second device makes no member_added webhook",
      run: async (stage) => {
        const { receiver } = await needWebhooks(stage);
        const room = stage.name("presence-");
        await stage.member(room, "ann", { device: "phone" });
        await receiver.told(room, "member_added", { userId: "ann" });
        await stage.member(room, "ann", { device: "laptop" });
        await stage.member(room, "bo");
        await receiver.told(room, "member_added", { userId: "bo" });
        await Bun.sleep(QUIET_MS);
        const added = receiver.about(room).filter(({ event }) => event["user_id"] === "ann");
        mustEqual(added.length, 1, "how often ann was told");
      },
    },
  ],
};

const probes = new WeakMap<Target, Promise<unknown>>();

/** The receiver, to which the server has really sent something. @throws NotShown where there is none */
async function needWebhooks(stage: Stage): Promise<WebhookSide> {
  const { webhooks } = stage.target;
  if (webhooks === undefined)
    throw new NotShown(
      stage.target.whyNoWebhooks ??
        "needs to receive webhooks: name the address that the app sends them to with --webhook-listen HOST:PORT",
    );
  let probe = probes.get(stage.target);
  if (probe === undefined) {
    probe = ask(stage, webhooks);
    probe.catch(() => undefined); // whoever asks first hears of it
    probes.set(stage.target, probe);
  }
  await probe;
  return webhooks;
}

async function ask(stage: Stage, { receiver }: WebhookSide): Promise<void> {
  const channel = stage.name();
  await stage.subscriber(channel);
  const hasCome = await receiver.until(() => receiver.about(channel).length > 0);
  if (!hasCome)
    throw new Finding(
      `a channel was occupied, and no webhook came to ${receiver.url}: does the app send all kinds of events there?`,
    );
}

/** A channel is occupied, and that is told. */
async function occupied(stage: Stage): Promise<Told> {
  const { receiver } = await needWebhooks(stage);
  const channel = stage.name();
  await stage.subscriber(channel);
  return await receiver.told(channel, "channel_occupied");
}

function mustBeSigned(delivery: Delivery, apps: readonly SendingApp[]): void {
  const key = delivery.headers.get("x-pusher-key");
  must(key !== undefined, "there is no X-Pusher-Key");
  const signer = apps.flatMap(({ signers }) => signers).find(hasKey(key));
  if (signer === undefined)
    throw new NotShown(`signed with key ${shown(key)}, whose secret is not known: name that pair with --app`);
  const signature = delivery.headers.get("x-pusher-signature");
  must(
    isSignedWith(delivery, signer),
    () =>
      `X-Pusher-Signature is ${shown(signature)}, which is not that of the body ${shown(textOf(delivery))}`,
  );
}

function hasKey(key: string | undefined): (signer: Signer) => boolean {
  return (signer) => signer.key === key;
}

/** dotnet's library decodes strings and numbers, and nothing else. */
function mustBeFlat(event: Told["event"]): void {
  const nested = Object.values(event).find((value) => typeof value === "object");
  must(nested === undefined, () => `a field is neither text nor number: ${shown(event)}`);
  must(typeof event["channel"] === "string", () => `no channel: ${shown(event)}`);
}

function statesOf(told: readonly Told[]): Told[] {
  return told.filter(({ event }) => STATES.includes(String(event["name"])));
}
