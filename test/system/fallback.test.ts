/** The HTTP fallback from outside: bad input, many sessions, readers that stop, certificates, the stop of a server. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { callApi, publish } from "../support/api.ts";
import { type Earshot, startEarshot, temporaryFolder } from "../support/earshot.ts";
import { FallbackClient, framesIn, type Stream } from "../support/fallback-client.ts";
import { connectRaw } from "../support/raw-client.ts";
import { until } from "../support/until.ts";
import { makeCertificate, shownSerialNumber } from "./certificate.ts";

const TOKEN = "a-token-for-the-tests-of-fallback";
const PING = { event: "pusher:ping", data: {} };

let earshot: Earshot;

async function opened(client: FallbackClient): Promise<Stream> {
  const stream = await client.stream();
  await stream.inbox.next("pusher:connection_established");
  return stream;
}

async function subscribed(client: FallbackClient, channel: string): Promise<Stream> {
  const stream = await opened(client);
  await client.send([client.subscribeMessage(channel)]);
  await stream.inbox.next("pusher_internal:subscription_succeeded");
  return stream;
}

describe("bad input", () => {
  let client: FallbackClient;
  let stream: Stream;

  beforeEach(async () => {
    earshot = await startEarshot();
    await earshot.updateApp("--client-events", "true");
    client = new FallbackClient(earshot);
    stream = await opened(client);
  });

  afterEach(async () => {
    await client.send([PING]);
    await stream.inbox.next("pusher:pong"); // the session lives, whatever it was given
    stream.abort();
    await earshot.stop();
  });

  test("bodies of a wrong form, or too long, are refused, and the client is told", async () => {
    const bodies = ["", "{}", "null", "[1]", '["a",{}]', "[", '"text"', '["\u0000"', "[".repeat(100_000)];
    for (const body of bodies) {
      expect([body.slice(0, 20), (await client.post("xhr_send", body)).status]).toEqual([
        body.slice(0, 20),
        400,
      ]);
      expect((await stream.inbox.next("pusher:error")).raw).toContain('"reason":"fallbackBodyInvalid"');
    }
    expect((await client.post("xhr_send", `["${"x".repeat(2_100_000)}"]`)).status).toBe(413);
    expect((await stream.inbox.next("pusher:error")).raw).toContain('"reason":"apiBodyTooLarge"');
    expect(await client.send(["x".repeat(100_000)])).toBe(204);
    expect((await stream.inbox.next("pusher:error")).raw).toContain('"reason":"frameTooLarge"');
  });

  test("numbers that are strange, repeated, out of order or used at the same time do no harm", async () => {
    const strange = ["", "-1", "1e9", "NaN", "999999999999999", "99999999999999999999", "%00", "1&n=2"];
    const url = client.url("xhr_send", 1).replace(/n=\d+$/, "");
    for (const number of strange) {
      const body = JSON.stringify([JSON.stringify(PING)]);
      expect((await fetch(`${url}n=${number}`, { method: "POST", body })).status).toBe(204);
    }
    const other = new FallbackClient(earshot);
    const theirs = await opened(other);
    const numbers = Array.from({ length: 60 }, (_, at) => at + 2).sort(() => Math.random() - 0.5);
    const event = (at: number) => ({ event: "client-e", channel: "nowhere", data: { at } });
    await Promise.all(numbers.flatMap((at) => [other.send([event(at)], at), other.send([event(at)], at)]));
    const errors = () => theirs.inbox.frames.filter(({ event: name }) => name === "pusher:error");
    await until("each is answered", () => errors().length === 60);
    theirs.abort();
  });

  test("unknown sessions, and names of a wrong form, are 404", async () => {
    for (const session of [
      "1/00000000",
      "1000/34vlfh0e",
      "1/x",
      "a/34vlfh0e",
      "1/%00000000",
      "1/34VLFH0E",
      "__proto__/34vlfh0e",
    ]) {
      const stranger = new FallbackClient(earshot, { session });
      expect([session, (await stranger.post("xhr_send", "[]")).status]).toEqual([session, 404]);
      if (session !== "1/00000000") expect((await stranger.post("xhr")).status).toBe(404);
    }
    for (const key of ["%ff", "x".repeat(5_000)]) {
      const response = await new FallbackClient(earshot, { key }).post("xhr");
      expect([response.status, (await response.text()).slice(0, 2)]).toEqual([200, "o\n"]);
    }
    const wrong = await fetch(client.url("xhr", 1), { method: "GET" });
    expect(wrong.status).toBe(405);
  });

  test("of two receive requests for one session the newer one is served, and the other one ends", async () => {
    const second = await client.stream();
    await stream.ended;
    const [third, poll] = [await client.stream(), client.poll()];
    await Promise.all([second.ended, third.ended]);
    await client.send([PING]);
    expect(framesIn(await poll).map(({ event }) => event)).toEqual(["pusher:pong"]);
    stream = await client.stream();
  });
});

describe("a server", () => {
  afterEach(() => earshot.stop());

  test("serves fallback sessions over TLS, and on while its certificate changes", async () => {
    const folder = temporaryFolder();
    const first = makeCertificate(folder, "current");
    earshot = await startEarshot({ args: ["--tls-cert", first.cert, "--tls-key", first.key] });
    const client = new FallbackClient(earshot);
    const stream = await subscribed(client, "news");
    const socket = await connectRaw(earshot);
    await socket.subscribe("news");
    const second = makeCertificate(folder, "current");
    await until("the new certificate is shown", async () => {
      return (await shownSerialNumber(earshot.port)) === second.serialNumber;
    });
    await publish(earshot, "news", "over-both", "");
    await stream.inbox.next("over-both");
    await publish(earshot, "news", "not-for-stream", "", { socket_id: client.socketId });
    await publish(earshot, "news", "not-for-socket", "", { socket_id: socket.socketId });
    await stream.inbox.next("not-for-socket");
    await socket.next("not-for-stream");
    expect(stream.inbox.frames.map(({ event }) => event)).not.toContain("not-for-stream");
    expect(socket.frames.map(({ event }) => event)).not.toContain("not-for-socket");
    expect(await client.send([PING])).toBe(204);
    await stream.inbox.next("pusher:pong");
    stream.abort();
    socket.close();
  });

  test("that stops tells its fallback sessions 4200, over streams and over polls", async () => {
    earshot = await startEarshot();
    const stream = await subscribed(new FallbackClient(earshot), "news");
    const polling = new FallbackClient(earshot);
    await polling.poll();
    const poll = polling.poll();
    await Bun.sleep(50); // until the poll is there
    const beganMs = performance.now();
    expect(await earshot.stop()).toBe(0);
    expect(performance.now() - beganMs).toBeLessThan(3_000);
    await stream.ended;
    expect(stream.text()).toEndWith('c[4200,"Please reconnect immediately"]\n');
    expect(await poll).toEndWith('c[4200,"Please reconnect immediately"]\n');
    await earshot.restart();
  });

  test("holds as many fallback sessions and WebSockets together as the app may", async () => {
    earshot = await startEarshot();
    await earshot.updateApp("--max-connections", "3");
    const socket = await connectRaw(earshot);
    const streams = [await opened(new FallbackClient(earshot)), await opened(new FallbackClient(earshot))];
    expect(await new FallbackClient(earshot).poll()).toEndWith('c[4004,"Account over quota"]\n');
    expect((await connectRaw(earshot)).frames[0]?.raw).toContain("Account over quota");
    for (const stream of streams) stream.abort();
    socket.close();
  });

  test("forgets ten thousand sessions that are opened and never read, and others do not notice", async () => {
    earshot = await startEarshot({ args: ["--metrics-token", TOKEN] });
    const listener = await connectRaw(earshot);
    await listener.subscribe("news");
    const warm = new FallbackClient(earshot);
    await warm.poll();
    const before = residentBytes(earshot.pid);
    const slowest = { ms: 0 };
    const watch = async (stopped: () => boolean) => {
      for (let at = 0; !stopped(); at++) {
        const beganMs = performance.now();
        await publish(earshot, "news", `e${at}`, "x".repeat(2_000));
        await listener.next(`e${at}`);
        slowest.ms = Math.max(slowest.ms, performance.now() - beganMs);
        await Bun.sleep(20);
      }
    };
    let isDone = false;
    const watching = watch(() => isDone);
    for (let round = 0; round < 100; round++) {
      const clients = Array.from({ length: 100 }, () => new FallbackClient(earshot));
      await Promise.all(
        clients.map(async (client) => {
          await client.poll();
          await client.send([client.subscribeMessage("news")]);
        }),
      );
    }
    const opened = residentBytes(earshot.pid) - before;
    isDone = true;
    await watching;
    expect(opened).toBeLessThan(200 * 1_024 * 1_024);
    expect(slowest.ms).toBeLessThan(2_000);
    await until(
      "they are forgotten",
      async () => {
        const { text } = await callApi(earshot, "GET", "/channels/news");
        return text === '{"occupied":true}' && (await connections(earshot)) === 1;
      },
      20_000,
    );
    listener.close();
  }, 60_000);

  test("does not gather what hundreds of streams leave unread", async () => {
    earshot = await startEarshot({ args: ["--metrics-token", TOKEN] });
    const readers: Socket[] = [];
    for (let at = 0; at < 300; at++) readers.push(await stoppedReader(earshot, at));
    await until("all have come", async () => (await connections(earshot)) === 300);
    const before = residentBytes(earshot.pid);
    for (let sent = 0; sent < 400; sent++) await publish(earshot, "flood", "e", "x".repeat(10_000));
    expect(residentBytes(earshot.pid) - before).toBeLessThan(250 * 1_024 * 1_024);
    await until("they are gone", async () => (await connections(earshot)) === 0, 30_000);
    for (const reader of readers) reader.destroy();
  }, 90_000);
});

/** A stream that is subscribed to `flood` and is not read. */
async function stoppedReader({ host, port, app }: Earshot, at: number): Promise<Socket> {
  const session = `/app/${app.key}/5/${at.toString(32).padStart(8, "0")}`;
  const socket = connect(port, host);
  socket.on("error", () => undefined);
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.pause();
  const head = `Host: ${host}\r\nContent-Length: `;
  socket.write(`POST ${session}/xhr_streaming?protocol=7&n=1 HTTP/1.1\r\n${head}0\r\n\r\n`);
  const body = JSON.stringify([JSON.stringify({ event: "pusher:subscribe", data: { channel: "flood" } })]);
  await until("the session is there", async () => {
    const url = `http://${host}:${port}${session}/xhr_send?n=2`;
    return (await fetch(url, { method: "POST", body })).status === 204;
  });
  return socket;
}

/** What the app's connections are now, as the server counts them. */
async function connections({ url }: Earshot): Promise<number> {
  const metrics = await (
    await fetch(`${url}/metrics`, { headers: { Authorization: `Bearer ${TOKEN}` } })
  ).text();
  return Number(/^earshot_connections\{app="7"\} (\d+)$/m.exec(metrics)?.[1] ?? Number.NaN);
}

/** Resident memory of a process. */
function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1_024;
}
