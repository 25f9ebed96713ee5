/** Quotas of a running server: many who come at once, and the two places where a quota is set. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { type Earshot, startEarshot } from "../support/earshot.ts";
import { connectRaw, type Frame, type RawClient } from "../support/raw-client.ts";

const COMERS = 50;
const LIMIT = 10;
const SIGNED = JSON.stringify({ max_subscriptions: LIMIT });

let earshot: Earshot;
let clients: RawClient[] = [];

beforeAll(async () => {
  earshot = await startEarshot();
});

afterAll(() => earshot.stop());

afterEach(async () => {
  for (const client of clients) client.close();
  await Promise.all(clients.map((client) => client.closed));
  clients = [];
});

async function connect(count: number): Promise<void> {
  clients = await Promise.all(Array.from({ length: count }, () => connectRaw(earshot)));
}

const isSuccess = ({ event }: Frame) => event === "pusher_internal:subscription_succeeded";

/** All at once; who got in, and who did not. */
async function subscribeAll(
  comers: readonly RawClient[],
  channel: string,
  channelData?: string,
): Promise<{ inside: RawClient[]; outside: RawClient[] }> {
  const extra = channelData === undefined ? {} : { channel_data: channelData };
  const answers = await Promise.all(comers.map((client) => client.subscribe(channel, extra)));
  for (const answer of answers.filter((frame) => !isSuccess(frame))) {
    expect(answer.data).toMatchObject({ reason: "quotaReached", limit: LIMIT, actual: LIMIT + 1 });
  }
  const got = (wanted: boolean) =>
    comers.filter((_, i) => {
      const answer = answers[i];
      return answer !== undefined && isSuccess(answer) === wanted;
    });
  return { inside: got(true), outside: got(false) };
}

async function expectTenOfFifty(channel: string, channelData?: string): Promise<void> {
  await connect(COMERS);
  const { inside, outside } = await subscribeAll(clients, channel, channelData);
  expect([inside.length, outside.length]).toEqual([LIMIT, COMERS - LIMIT]);
  const [leaving] = inside;
  if (leaving === undefined) throw new Error("nobody is inside");
  leaving.send({ event: "pusher:unsubscribe", data: { channel } });
  await leaving.settled();
  expect((await subscribeAll(outside, channel, channelData)).inside).toHaveLength(1);
  expect((await subscribeAll([leaving], channel, channelData)).inside).toEqual([]);
}

test("exactly ten of fifty who come at once get in where ten is signed; one leaves, one enters", async () => {
  await expectTenOfFifty("private-signed", SIGNED);
});

test("the same with a rule of the app, which takes effect without a restart", async () => {
  await earshot.updateApp("--quota", `private-user-*=${LIMIT}`);
  await expectTenOfFifty("private-user-7");
});

test("a refused subscription is three frames, and the connection lives", async () => {
  await connect(2);
  const [first, second] = clients;
  if (first === undefined || second === undefined) throw new Error("two clients are needed");
  const channel_data = '{"max_subscriptions":1}';
  expect(isSuccess(await first.subscribe("private-one", { channel_data }))).toBe(true);
  await second.subscribe("private-one", { channel_data });
  await second.settled();
  const frames = second.frames
    .slice(1)
    .map(({ event, channel, raw }) => [event, channel, raw.includes("LimitReached")]);
  expect(frames).toEqual([
    ["pusher:error", undefined, false],
    ["pusher_internal:subscription_error", "private-one", true],
    ["pusher:subscription_error", "private-one", true],
    ["pusher:pong", undefined, false],
  ]);
});
