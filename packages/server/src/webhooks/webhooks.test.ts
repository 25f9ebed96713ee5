import { afterEach, describe, expect, test } from "bun:test";
import { signWebhook } from "@earshot/protocol/signature";
import { nodeDigest } from "@earshot/protocol/testing/node-digest";
import type { WebhookSettings } from "./parts.ts";
import {
  APP,
  answered,
  draft,
  endpoint,
  HeldReceiver,
  namesOfLane,
  PAIR,
  Stage,
  UNREACHABLE,
} from "./testing/stage.ts";

let stage: Stage;

afterEach(() => stage.end());

function play(webhooks = [endpoint()], settings: Partial<WebhookSettings> = {}): Promise<Stage> {
  stage = new Stage(draft(...webhooks), settings);
  return stage.start();
}

/** Two names in one lane, and one in another. */
const [FIRST, SECOND] = namesOfLane(3);
const [ELSEWHERE] = namesOfLane(4);

describe("a request", () => {
  test("holds one event with its stamp, and says who signed it and which attempt it is", async () => {
    await play([endpoint({ headers: { "X-Team": "blue" } })]);
    const version = stage.outbox.occupied(APP, "orders");
    await stage.take();
    const [received] = stage.received;
    const body = `{"time_ms":1700000000000,"events":[{"name":"channel_occupied","channel":"orders","id":"4711-${version}","version":${version},"occurred_ms":1700000000000}]}`;
    expect(received?.request).toEqual({
      url: "http://receiver.test/hooks",
      headers: {
        "Content-Type": "application/json",
        "User-Agent": "Earshot/1.0.0",
        "X-Pusher-Key": PAIR.key,
        "X-Pusher-Signature": signWebhook(nodeDigest, PAIR.secret, body),
        "X-Earshot-Delivery": expect.stringMatching(/^[0-9a-f]{20}$/),
        "X-Earshot-Attempt": "1",
        "X-Earshot-First-Attempt": "1700000000000",
        "X-Team": "blue",
      },
      body,
    });
  });

  test("goes to each endpoint that wants the event, and to no other", async () => {
    await play([
      endpoint({ id: "e1", prefix: "orders-", url: "http://one.test" }),
      endpoint({ id: "e2", suffix: "-eu", url: "http://two.test" }),
      endpoint({ id: "e3", events: ["cache_miss"], url: "http://three.test" }),
    ]);
    stage.outbox.occupied(APP, "orders-us");
    stage.outbox.occupied(APP, "orders-eu");
    stage.outbox.announce(APP, { name: "cache_miss", channel: "cache-x" });
    await stage.take();
    const seen = stage.received.map(({ request, told }) => `${request.url}: ${told}`).sort();
    expect(seen).toEqual([
      "http://one.test: channel_occupied orders-eu",
      "http://one.test: channel_occupied orders-us",
      "http://three.test: cache_miss cache-x",
      "http://two.test: channel_occupied orders-eu",
    ]);
  });

  test("holds what came while the one before it was under way, in order, 20 at most", async () => {
    await play();
    const receiver = new HeldReceiver();
    stage.receiver = receiver.receive;
    stage.outbox.occupied(APP, FIRST);
    for (let i = 0; i < 21; i++) stage.outbox.announce(APP, { name: "cache_miss", channel: SECOND });
    stage.outbox.vacated(APP, FIRST);
    expect(await stage.take()).toEqual([[`channel_occupied ${FIRST}`]]);
    await receiver.answer();
    expect(await stage.take()).toEqual([Array(20).fill(`cache_miss ${SECOND}`)]);
    await receiver.answer();
    expect(await stage.take()).toEqual([[`cache_miss ${SECOND}`, `channel_vacated ${FIRST}`]]);
  });

  test("holds all of a commit that concerns its lane", async () => {
    await play();
    stage.outbox.commitsAtOnce = false;
    stage.outbox.occupied(APP, FIRST);
    stage.outbox.occupied(APP, ELSEWHERE);
    stage.outbox.occupied(APP, SECOND);
    stage.outbox.commit();
    expect(await stage.take()).toEqual([
      [`channel_occupied ${FIRST}`, `channel_occupied ${SECOND}`],
      [`channel_occupied ${ELSEWHERE}`],
    ]);
  });

  test("goes out at once from an idle lane; then a little comes together, and a full one does not wait", async () => {
    await play([endpoint()], { paceMs: 50 });
    stage.outbox.occupied(APP, FIRST);
    expect(await stage.take()).toEqual([[`channel_occupied ${FIRST}`]]);
    stage.outbox.occupied(APP, SECOND);
    stage.outbox.vacated(APP, FIRST);
    await stage.pass(49);
    expect(await stage.take()).toEqual([]);
    await stage.pass(1);
    expect(await stage.take()).toEqual([[`channel_occupied ${SECOND}`, `channel_vacated ${FIRST}`]]);
    for (let i = 0; i < 20; i++) stage.outbox.announce(APP, { name: "cache_miss", channel: FIRST });
    expect(await stage.take()).toEqual([Array(20).fill(`cache_miss ${FIRST}`)]);
  });

  test("holds one event where the endpoint does not batch", async () => {
    await play([endpoint({ batch: false })]);
    stage.outbox.commitsAtOnce = false;
    stage.outbox.occupied(APP, FIRST);
    stage.outbox.occupied(APP, SECOND);
    stage.outbox.commit();
    expect(await stage.take()).toEqual([[`channel_occupied ${FIRST}`], [`channel_occupied ${SECOND}`]]);
  });

  test("does not wait for one of another lane", async () => {
    await play();
    const receiver = new HeldReceiver();
    stage.receiver = receiver.receive;
    stage.outbox.occupied(APP, FIRST);
    stage.outbox.occupied(APP, ELSEWHERE);
    expect(await stage.take()).toHaveLength(2);
    expect(receiver.open).toBe(2);
  });

  test("is signed with the oldest key that is active when it is made", async () => {
    await play();
    stage.receiver = () => (stage.received.length === 1 ? UNREACHABLE : answered(200));
    const old = { ...PAIR, createdMs: 1, revoked: false };
    const young = { key: "young", secret: "another", createdMs: 2, revoked: false };
    stage.apps.put({ ...draft(endpoint()), keys: [old, young] });
    stage.outbox.occupied(APP, "orders");
    await stage.take();
    stage.apps.put({ ...draft(endpoint()), keys: [{ ...old, revoked: true }, young] });
    await stage.pass(2_000);
    const keys = stage.received.map(({ request }) => request.headers["X-Pusher-Key"]);
    expect(keys).toEqual([PAIR.key, "young"]);
    const second = stage.received[1]?.request;
    expect(second?.headers["X-Pusher-Signature"]).toBe(
      signWebhook(nodeDigest, "another", second?.body ?? ""),
    );
  });

  test("waits while the app has no active key, and nothing is lost", async () => {
    await play();
    const old = { ...PAIR, createdMs: 1, revoked: false };
    stage.apps.put({ ...draft(endpoint()), keys: [{ ...old, revoked: true }] });
    stage.outbox.occupied(APP, "orders");
    await stage.pass(60_000, 1_000);
    expect(await stage.take()).toEqual([]);
    expect(stage.progress().waiting).toBe(1);
    expect(stage.log.lines.map(({ message }) => message)).toEqual([
      'webhooks wait because the app has no active key: give it one with "earshot apps rotate-key"',
    ]);
    stage.apps.put(draft(endpoint()));
    expect(await stage.take()).toEqual([["channel_occupied orders"]]);
  });
});

describe("a failed attempt", () => {
  test.each([301, 400, 408, 425, 429, 500, 503])("with status %d is made again", async (status) => {
    await play();
    stage.receiver = () => answered(stage.received.length === 1 ? status : 204);
    stage.outbox.occupied(APP, "orders");
    await stage.pass(1_100);
    expect(await stage.take()).toEqual([["channel_occupied orders"], ["channel_occupied orders"]]);
    expect(stage.progress()).toMatchObject({ delivered: 1, failedAttempts: 1, waiting: 0, deadLetters: 0 });
  });

  test("is repeated with the same body, id and time, after pauses that double up to the longest", async () => {
    await play([endpoint()], { retryMaxMs: 10_000 });
    stage.receiver = () => UNREACHABLE;
    stage.outbox.occupied(APP, "orders");
    await stage.pass(60_000);
    const [first, ...others] = stage.received;
    const pauses = stage.received
      .slice(1)
      .map(({ atMs }, index) => atMs - (stage.received[index]?.atMs ?? 0));
    for (const [index, longest] of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000].entries()) {
      expect(pauses[index]).toBeGreaterThanOrEqual(longest * 0.75 - 1);
      expect(pauses[index]).toBeLessThanOrEqual(longest);
    }
    for (const [index, { request }] of others.entries()) {
      expect(request.body).toBe(first?.request.body ?? "");
      expect(request.headers).toEqual({
        ...first?.request.headers,
        "X-Earshot-Attempt": String(index + 2),
      });
    }
  });

  test("gets a new time once the batch is four minutes old, and a new signature with it", async () => {
    await play([endpoint()], { retryMaxMs: 60_000 });
    stage.receiver = () => UNREACHABLE;
    stage.outbox.occupied(APP, "orders");
    await stage.pass(400_000, 500);
    const made = stage.received[0]?.timeMs ?? 0;
    for (const { timeMs, request, atMs } of stage.received) {
      const ageMs = atMs - (stage.received[0]?.atMs ?? 0);
      if (ageMs < 240_000) expect(timeMs).toBe(made);
      else expect(timeMs).toBeGreaterThanOrEqual(made + 240_000);
      expect(request.headers["X-Pusher-Signature"]).toBe(signWebhook(nodeDigest, PAIR.secret, request.body));
      expect(request.headers["X-Earshot-First-Attempt"]).toBe(String(made));
    }
    expect(stage.received.at(-1)?.timeMs).toBeGreaterThan(made);
  });

  test("holds up its lane and no other, and no other endpoint", async () => {
    await play([endpoint(), endpoint({ id: "e2", url: "http://well.test" })]);
    stage.receiver = ({ request, told }) =>
      request.url === "http://well.test" || told[0] === `channel_occupied ${ELSEWHERE}`
        ? answered(200)
        : UNREACHABLE;
    stage.outbox.occupied(APP, FIRST);
    stage.outbox.occupied(APP, SECOND);
    stage.outbox.occupied(APP, ELSEWHERE);
    await stage.pass(30_000);
    expect(stage.progress("e1")).toMatchObject({
      delivered: 1,
      waiting: 2,
      oldestWaitingMs: 1_700_000_000_000,
    });
    expect(stage.progress("e2")).toMatchObject({ delivered: 3, waiting: 0, oldestWaitingMs: undefined });
  });
});
