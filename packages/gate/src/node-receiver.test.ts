import { afterAll, describe, expect, test } from "bun:test";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { MAX_WEBHOOK_BYTES } from "./receiver.ts";
import { GateWorld, webhookBody, webhookHeaders } from "./testing/gate-world.ts";

const ends: (() => void)[] = [];
afterAll(() => {
  for (const end of ends) end();
});

/** A server that lets something come before the receiver, as a back-end's own middleware does. */
async function serve(
  world: GateWorld,
  before: (request: IncomingMessage) => Promise<void> = async () => {},
): Promise<string> {
  const receive = world.gate.nodeReceiver();
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    void before(request).then(() => receive(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}/`;
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function post(
  url: string,
  body: string,
  headers = webhookHeaders(body),
): Promise<{ status: number; text: string }> {
  const response = await fetch(url, { method: "POST", headers, body });
  return { status: response.status, text: await response.text() };
}

describe("the receiver of webhooks on node:http", () => {
  test("applies what is signed, and answers 401 to what is not", async () => {
    const world = await GateWorld.started();
    const url = await serve(world);
    const body = webhookBody(1, [world.service.announce("a", true)]);
    expect((await post(url, body, webhookHeaders(`${body} `))).status).toBe(401);
    expect(await world.ticks("a", 1)).toEqual([false]);
    expect(await post(url, body)).toEqual({ status: 200, text: "" });
    expect(await world.ticks("a", 2)).toEqual([true]);
    expect((await fetch(url)).status).toBe(405);
  });

  test("takes the exact bytes from a parser that kept them", async () => {
    const keepers: ((request: IncomingMessage) => Promise<void>)[] = [
      async (request) => void Object.assign(request, { body: await bytesOf(request) }), // express.raw
      async (request) => void Object.assign(request, { body: (await bytesOf(request)).toString() }), // express.text
      async (request) => {
        const rawBody = await bytesOf(request);
        Object.assign(request, { rawBody, body: JSON.parse(rawBody.toString()) });
      },
    ];
    for (const keep of keepers) {
      const world = await GateWorld.started();
      const url = await serve(world, keep);
      expect((await post(url, webhookBody(1, [world.service.announce("a", true)]))).status).toBe(200);
      expect(await world.ticks("a", 1)).toEqual([true]);
    }
  });

  test("says so where a parser has read the body and kept only what it means", async () => {
    const world = await GateWorld.started();
    const url = await serve(world, async (request) => {
      Object.assign(request, { body: JSON.parse((await bytesOf(request)).toString()) });
    });
    const answer = await post(url, webhookBody(1, [world.service.announce("a", true)]));
    expect(answer.status).toBe(500);
    expect(answer.text).toContain("express.json()");
    expect(world.codes).toEqual(["body_consumed"]);
    expect(await world.ticks("a", 1)).toEqual([false]);
  });

  test("ends a body that is too long, and lives on where one breaks off", async () => {
    const world = await GateWorld.started();
    const url = await serve(world);
    expect((await post(url, "x".repeat(MAX_WEBHOOK_BYTES + 1))).status).toBe(413);
    await new Promise<void>((resolve) => {
      const headers = { ...webhookHeaders("x"), "content-length": "100" };
      const broken = httpRequest(url, { method: "POST", headers });
      broken.on("error", () => resolve());
      broken.on("close", () => resolve());
      broken.write("half", () => broken.destroy());
    });
    expect((await post(url, webhookBody(1, []))).status).toBe(200);
  });
});
