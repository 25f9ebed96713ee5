/** Two whole sessions, byte by byte: test/golden/fallback/. */
import { afterAll, describe, expect, test } from "bun:test";
import { Query } from "@earshot/protocol/query";
import { Golden } from "@earshot/protocol/testing/golden";
import { PAIR } from "#core/testing/world";
import { requestPath } from "../request-path.ts";
import { readSessionPath } from "./session-path.ts";
import { fallbackWorld } from "./testing/fallback-world.ts";

const SESSION = "793/34vlfh0e";
const HEADERS = ["Access-Control-Allow-Origin", "Cache-Control", "Content-Type", "X-Accel-Buffering"];
const PROTOCOL = "protocol=7&client=js&version=8.6.0&";

/** The text of a response, as it comes. */
interface Reader {
  read(): Promise<{ readonly done: boolean; readonly value?: string | undefined }>;
}

/** Requests as pusher-js makes them, and what each of them is answered with, as it comes. */
class Transcript {
  readonly stage = fallbackWorld();
  text = "";
  #number = 0;

  /** Returns the response's lines as they come, once its head is written down. */
  async post(action: string, body = ""): Promise<Reader | undefined> {
    this.#number++;
    const query = `${action === "xhr_send" ? "" : PROTOCOL}t=1700000000000&n=${this.#number}`;
    const target = `/app/${PAIR.key}/${SESSION}/${action}?${query}`;
    this.text += `> POST ${target}\n`;
    if (body !== "") this.text += `> ${body}\n`;
    const request = new Request(`http://127.0.0.1${target}`, { method: "POST", body });
    const path = readSessionPath(requestPath(target).path);
    if (path === undefined) throw new Error(`${target} is no path of the fallback`);
    const answering = this.stage.fallback.answer({
      request,
      path,
      query: new Query(query),
      arrival: { key: path.key, protocol: "7", origin: undefined, isTls: false },
      address: "192.0.2.1",
      patience: { endless: () => undefined, usual: () => undefined },
    });
    this.meanwhile?.();
    this.meanwhile = undefined;
    const { status, headers, body: stream } = await answering;
    this.text += `${status}\n`;
    for (const name of HEADERS) if (headers.has(name)) this.text += `${name}: ${headers.get(name)}\n`;
    return stream?.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Done once a request is waiting for its answer. */
  meanwhile: (() => void) | undefined;

  publish(data: string): void {
    this.note("a back-end publishes the event price on the channel news");
    this.stage.world.publish("news", "price", data);
  }

  note(text: string): void {
    this.text += `# ${text}\n`;
  }

  async read(reader: Reader | undefined, lines: number): Promise<void> {
    let text = "";
    while (text.split("\n").length <= lines) {
      const { value, done } = (await reader?.read()) ?? { value: undefined, done: true };
      if (done) throw new Error(`the response ended after ${JSON.stringify(text)}`);
      text += value;
    }
    this.text += text;
  }

  async send(...messages: readonly object[]): Promise<void> {
    await this.post("xhr_send", JSON.stringify(messages.map((message) => JSON.stringify(message))));
  }

  async poll(): Promise<void> {
    const reader = await this.post("xhr");
    for (;;) {
      const { value, done } = (await reader?.read()) ?? { value: undefined, done: true };
      if (done) return;
      this.text += value;
    }
  }

  pass(seconds: number): void {
    this.note(`${seconds} seconds pass`);
    for (let passed = 0; passed < seconds; passed++) {
      this.stage.world.clock.advance(1_000);
      this.stage.fallback.tick();
    }
  }

  shutDown(): void {
    this.note("the server stops");
    this.stage.world.connections.shutDown();
  }
}

const SUBSCRIBE = { event: "pusher:subscribe", data: { auth: "", channel: "news" } };

describe("golden sessions", () => {
  const golden = new Golden("fallback");

  test("streaming", async () => {
    const session = new Transcript();
    const stream = await session.post("xhr_streaming");
    await session.read(stream, 3);
    await session.send(SUBSCRIBE);
    await session.read(stream, 1);
    session.publish('{"p":1}');
    await session.read(stream, 1);
    session.pass(24);
    await session.read(stream, 1);
    await session.send();
    await session.read(stream, 1);
    const next = await session.post("xhr_streaming");
    await session.read(next, 1);
    session.publish('{"p":2}');
    await session.read(next, 1);
    session.shutDown();
    await session.read(next, 2);
    expect(session.text).toBe(golden.text("streaming", session.text));
  });

  test("polling", async () => {
    const session = new Transcript();
    await session.poll();
    await session.send(SUBSCRIBE);
    await session.poll();
    session.meanwhile = () => session.publish('{"p":1}');
    await session.poll();
    session.meanwhile = () => session.pass(24);
    await session.poll();
    session.publish('{"p":2}');
    session.publish('{"p":3}');
    await session.poll();
    await session.send();
    await session.poll();
    session.shutDown();
    await session.poll();
    await session.send();
    await session.poll();
    expect(session.text).toBe(golden.text("polling", session.text));
  });

  afterAll(() => expect(golden.strays).toEqual([]));
});
