import { describe, expect, test } from "bun:test";
import Pusher from "pusher";
import { MAX_WEBHOOK_BYTES, Receiver } from "./receiver.ts";
import { GateWorld, signedWebhook, webhookBody, webhookHeaders } from "./testing/gate-world.ts";
import { turns } from "./testing/manual-time.ts";

async function told(world: GateWorld, request: Request): Promise<{ status: number; text: string }> {
  const response = await world.gate.receiver()(request);
  return { status: response.status, text: await response.text() };
}

describe("the receiver of webhooks", () => {
  test("applies what is signed with the app's secret before it answers", async () => {
    const world = await GateWorld.started();
    const body = webhookBody(world.service.nowMs(), [world.service.announce("a", true)]);
    expect(await told(world, signedWebhook(body))).toEqual({ status: 200, text: "" });
    expect(await world.ticks("a", 1)).toEqual([true]);
  });

  test("answers 401 to everything else, and nothing changes", async () => {
    const world = await GateWorld.started();
    const body = webhookBody(world.service.nowMs(), [world.service.announce("a", true)]);
    const right = webhookHeaders(body);
    const wrong: Record<string, string>[] = [
      webhookHeaders(body, "another-secret"),
      webhookHeaders(body, "old-secret", "old-key"),
      webhookHeaders(`${body} `),
      { ...right, "x-pusher-key": "another-key" },
      { ...right, "x-pusher-signature": "" },
      { ...right, "x-pusher-signature": `${right["x-pusher-signature"]}0` },
      { ...right, "x-pusher-signature": (right["x-pusher-signature"] ?? "").toUpperCase() },
      { "content-type": "application/json" },
    ];
    for (const headers of wrong) {
      const request = new Request("http://gate.example/", { method: "POST", headers, body });
      expect((await told(world, request)).status).toBe(401);
    }
    expect(await world.ticks("a", 1)).toEqual([false]);
  });

  test("knows the other keys of the app that it was given", async () => {
    const world = await GateWorld.started({ tokens: [{ key: "old-key", secret: "old-secret" }] });
    const body = webhookBody(world.service.nowMs(), [world.service.announce("a", true)]);
    const headers = webhookHeaders(body, "old-secret", "old-key");
    expect((await told(world, new Request("http://h/", { method: "POST", headers, body }))).status).toBe(200);
    expect(await world.ticks("a", 1)).toEqual([true]);
  });

  test("believes a webhook of the hosted service, as it was written down", async () => {
    const pusher = new Pusher({ appId: "1", key: "k", secret: "pusher-secret", host: "127.0.0.1" });
    const receiver = new Receiver({
      publisher: pusher,
      tokens: [],
      isTrusted: true,
      apply: async () => {},
      onError: () => {},
    });
    const body =
      '{"time_ms":1767322445678,"events":[{"name":"channel_occupied","channel":"private-e122090f4e506ae9ee266c3eb78a8b67"}]}';
    const headers = {
      "content-type": "application/json",
      "x-pusher-key": "k",
      "x-pusher-signature": "41e505200e97d739be1085cdd20ab49e2dc41905a975dbc42bf88519671dc333",
    };
    const bytes = new TextEncoder().encode(body);
    expect(await receiver.take(headers, bytes)).toEqual({ status: 200, text: "" });
    expect((await receiver.take(headers, bytes.slice(0, -1))).status).toBe(401);
    expect((await receiver.take(headers, new Uint8Array([...bytes, 0xff]))).status).toBe(401);
  });

  test("wants the content type that the service sends", async () => {
    const world = await GateWorld.started();
    const body = webhookBody(1, []);
    for (const type of ["application/json; charset=utf-8", "text/plain"]) {
      const answer = await told(world, signedWebhook(body, { "content-type": type }));
      expect(answer.status).toBe(415);
      expect(answer.text).toContain(type);
    }
  });

  test("answers 400 to a signed body that is no webhook, or has no versions where there must be some", async () => {
    const world = await GateWorld.started();
    const bodies: [body: string, text: string][] = [
      ["[]x", "no JSON object"],
      ["7", "no JSON object"],
      ['{"time_ms":"7","events":[]}', "time_ms"],
      ['{"time_ms":7}', "events"],
      ['{"time_ms":7,"events":[null]}', "events"],
      ['{"time_ms":7,"events":[{"name":"channel_occupied"}]}', "events"],
      ['{"time_ms":7,"events":[{"name":"channel_occupied","channel":"a"}]}', 'freshness: "trusted"'],
      ['{"time_ms":7,"events":[{"name":"channel_occupied","channel":"a","version":"9"}]}', "no version"],
    ];
    for (const [body, text] of bodies) {
      const answer = await told(world, signedWebhook(body));
      // The library calls a body that is no JSON invalid, whatever its signature.
      expect([400, 401]).toContain(answer.status);
      if (answer.status === 400) expect(answer.text).toContain(text);
    }
    expect(await world.ticks("a", 1)).toEqual([false]);
  });

  test("reads no more of a body than a webhook has", async () => {
    const world = await GateWorld.started();
    const body = `{"time_ms":1,"events":[],"x":"${"x".repeat(MAX_WEBHOOK_BYTES)}"}`;
    expect((await told(world, signedWebhook(body))).status).toBe(413);
  });

  test("answers 405 to other methods, and says what is wrong where the body was read before", async () => {
    const world = await GateWorld.started();
    expect((await told(world, new Request("http://h/"))).status).toBe(405);
    const request = signedWebhook(webhookBody(1, []));
    await request.text();
    const answer = await told(world, request);
    expect(answer.status).toBe(500);
    expect(answer.text).toContain("before any body parser");
  });

  test("hands all events on after it has applied its own, and asks for them again where that fails", async () => {
    const world = await GateWorld.started();
    const events = [
      { name: "member_added", channel: "presence-a", user_id: "7", id: "1-9", version: 9, occurred_ms: 5 },
      { name: "channel_occupied", channel: "presence-a", id: "1-10", version: 10, occurred_ms: 5 },
      { name: "an_event_of_the_future", channel: "x", version: 11 },
    ];
    const seen: unknown[] = [];
    let fails = true;
    const receive = world.gate.receiver({
      async onEvents(told) {
        seen.push(told, await world.ticks("presence-a", 1));
        if (fails) throw new Error("database away");
      },
    });
    const body = JSON.stringify({ time_ms: 1, events });
    expect((await receive(signedWebhook(body))).status).toBe(500);
    expect(world.errors.map(({ message }) => message)).toEqual([expect.stringContaining("database away")]);
    fails = false;
    expect((await receive(signedWebhook(body))).status).toBe(200);
    expect(seen).toEqual([events, [true], events, [true]]);
    await turns();
  });
});
