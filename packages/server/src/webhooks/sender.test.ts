import { describe, expect, test } from "bun:test";
import type { Socket } from "node:net";
import { selfSigned } from "../../../../test/support/self-signed.ts";
import { until } from "../../../../test/support/until.ts";
import { OK, post, problemOf, sending } from "./testing/sending.ts";

const { senderOf, receiver, rawReceiver } = sending();

describe("a request", () => {
  test("arrives byte for byte with its headers, and the answer comes back", async () => {
    const heard: unknown[] = [];
    const { url } = receiver(async (request) => {
      heard.push(
        request.method,
        new URL(request.url).pathname + new URL(request.url).search,
        request.headers.get("content-type"),
        request.headers.get("x-pusher-key"),
        request.headers.get("content-length"),
        await request.text(),
      );
      return new Response("thanks", { status: 202 });
    });
    const result = await senderOf().send(post(`${url}in?a=b%20c`, { "X-Pusher-Key": "k" }, '{"é":"\\n"}'));
    expect(result).toMatchObject({ answered: true, status: 202, body: "thanks" });
    expect(result.durationMs).toBeWithin(0, 5_000);
    expect(heard).toEqual(["POST", "/in?a=b%20c", "application/json", "k", "11", '{"é":"\\n"}']);
  });

  test("keeps its framing, whatever headers the endpoint has", async () => {
    const { url } = receiver(async (request) =>
      Response.json({ body: await request.text(), host: request.headers.get("host") }),
    );
    const headers = {
      "content-length": "3",
      "Transfer-Encoding": "chunked",
      Host: "other.test",
      expect: "x",
    };
    const result = await senderOf().send(post(url.href, headers, "whole"));
    expect(result).toMatchObject({ status: 200, body: JSON.stringify({ body: "whole", host: url.host }) });
  });

  test("that cannot be sent says which header is wrong", async () => {
    const { url } = receiver(() => new Response());
    expect(problemOf(await senderOf().send(post(url.href, { "X-A": "a\r\nb" })))).toContain("X-A");
    for (const wrong of ["ftp://h/", "file:///etc/passwd", "nothing", ""])
      expect(problemOf(await senderOf().send(post(wrong)))).toContain("none of http or https");
  });

  test("uses the connection of the one before", async () => {
    const { seen, port } = await rawReceiver((socket) => socket.write(OK));
    const sender = senderOf();
    for (let i = 0; i < 3; i++) await sender.send(post(`http://127.0.0.1:${port}/`));
    expect(seen).toMatchObject({ connections: 1, requests: 3 });
  });

  test("is made again at once where the receiver has hung up on the kept connection", async () => {
    const goodbyes = [(socket: Socket) => socket.resetAndDestroy(), (socket: Socket) => socket.end()];
    for (const hangUp of goodbyes) {
      const { seen, port } = await rawReceiver((socket, _request, requests) => {
        if (requests === 2) hangUp(socket);
        else socket.write(OK);
      });
      const sender = senderOf();
      await sender.send(post(`http://127.0.0.1:${port}/`));
      expect(await sender.send(post(`http://127.0.0.1:${port}/`))).toMatchObject({ status: 200 });
      expect(seen).toMatchObject({ connections: 2, requests: 3 });
    }
  });

  test("is made once where a new connection is hung up on", async () => {
    const { seen, port } = await rawReceiver((socket) => socket.destroy());
    const result = await senderOf().send(post(`http://127.0.0.1:${port}/`));
    expect(problemOf(result)).toStartWith(`127.0.0.1:${port} did not answer: `);
    expect(seen.requests).toBe(1);
  });

  test("goes over TLS to whom the certificate names only", async () => {
    const certificate = selfSigned("receiver");
    const { port } = receiver((request) => new Response(request.headers.get("host")), certificate);
    const resolve = async () => ["127.0.0.1"];
    const trusting = senderOf({ ca: certificate.cert, resolve });
    for (let i = 0; i < 2; i++)
      expect(await trusting.send(post(`https://localhost:${port}/`))).toMatchObject({
        status: 200,
        body: `localhost:${port}`,
      });
    expect(problemOf(await trusting.send(post(`https://other.test:${port}/`)))).toContain("altnames");
    const usual = senderOf({ resolve });
    expect(problemOf(await usual.send(post(`https://localhost:${port}/`)))).toContain("self");
  });
});

describe("a receiver that", () => {
  test("answers with an error has answered", async () => {
    const { url } = receiver(() => new Response("broken", { status: 500 }));
    expect(await senderOf().send(post(url.href))).toMatchObject({
      answered: true,
      status: 500,
      body: "broken",
    });
  });

  test("redirects is not followed", async () => {
    let others = 0;
    const other = receiver(() => new Response(String(++others)));
    for (const status of [301, 302, 303, 307, 308]) {
      const { url } = receiver(() => new Response("", { status, headers: { Location: other.url.href } }));
      expect(await senderOf().send(post(url.href))).toMatchObject({ answered: true, status });
    }
    expect(others).toBe(0);
  });

  test("closes in the middle of the body has answered", async () => {
    const { port } = await rawReceiver((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
      setTimeout(() => socket.end(), 20); // the runtime drops what comes together with the end
    });
    const result = await senderOf().send(post(`http://127.0.0.1:${port}/`));
    expect(result).toMatchObject({ answered: true, status: 200, body: "half" });
  });

  test("closes in the middle of the body at once has answered", async () => {
    for (const hangUp of [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy()]) {
      const { port } = await rawReceiver((socket) => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", () => hangUp(socket));
      });
      const result = await senderOf().send(post(`http://127.0.0.1:${port}/`));
      expect(result).toMatchObject({ answered: true, status: 200 });
    }
  });

  test("closes in the middle of the head has not", async () => {
    const { port } = await rawReceiver((socket) => {
      socket.end("HTTP/1.1 200 OK\r\nContent-Le");
    });
    expect(await senderOf().send(post(`http://127.0.0.1:${port}/`))).toMatchObject({ answered: false });
  });

  test("speaks no HTTP, or switches protocols, does not answer", async () => {
    for (const bytes of [
      "SSH-2.0-OpenSSH_9.2\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      `HTTP/1.1 200 OK\r\nX: ${"x".repeat(1_100_000)}`,
    ]) {
      const { port } = await rawReceiver((socket) => {
        socket.write(bytes);
      });
      const result = await senderOf().send(post(`http://127.0.0.1:${port}/`));
      expect(problemOf(result)).toStartWith(`127.0.0.1:${port} `);
    }
  });

  test("answers with 100 MB is read to the first 4 KB and a little more, and hung up on", async () => {
    let writtenBytes = 0;
    const chunk = Buffer.alloc(65_536, "é");
    const { seen, port } = await rawReceiver((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n");
      const more = () => {
        while (!socket.destroyed && writtenBytes < 104_857_600) {
          writtenBytes += chunk.length;
          if (!socket.write(chunk)) return;
        }
      };
      socket.on("drain", more);
      more();
    });
    const result = await senderOf().send(post(`http://127.0.0.1:${port}/`));
    expect(result).toMatchObject({ answered: true, status: 200, body: "é".repeat(2_048) });
    await until("the connection is closed", () => seen.closed === 1);
    expect(writtenBytes).toBeLessThan(20_000_000); // what fits into the buffers of two sockets
  });

  test("answers with somewhat more than 4 KB keeps its connection", async () => {
    const { seen, port } = await rawReceiver((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\na${"é".repeat(5_000)}`);
    });
    const sender = senderOf();
    for (let i = 0; i < 2; i++)
      // 4,096 bytes end within a character.
      expect(await sender.send(post(`http://127.0.0.1:${port}/`))).toMatchObject({
        body: `a${"é".repeat(2_047)}`,
      });
    expect(seen.connections).toBe(1);
  });

  test("does not answer in time is given up, in each of its phases", async () => {
    const beginnings = ["", "HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 100 Continue\r\n\r\n"];
    for (const bytes of beginnings) {
      const { seen, port } = await rawReceiver((socket) => {
        socket.write(bytes);
      });
      const result = await senderOf({ timeoutMs: 50 }).send(post(`http://127.0.0.1:${port}/`));
      expect(problemOf(result)).toBe(`127.0.0.1:${port} did not answer within 50 ms (webhooks.timeoutMs)`);
      expect(result.durationMs).toBeWithin(40, 2_000);
      await until("the connection is closed", () => seen.closed === 1);
    }
  });

  test("sends its body for ever has answered when the time is up", async () => {
    const { port } = await rawReceiver((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    });
    const result = await senderOf({ timeoutMs: 50 }).send(post(`http://127.0.0.1:${port}/`));
    expect(result).toMatchObject({ answered: true, status: 200, body: "a" });
  });

  test("is not there is told so", async () => {
    const gone = receiver(() => new Response());
    const { port } = gone;
    await gone.stop(true);
    expect(problemOf(await senderOf().send(post(`http://127.0.0.1:${port}/`)))).toContain("ECONNREFUSED");
  });
});

describe("a name", () => {
  test("is resolved once for requests within 5 s, which go where that resolution said", async () => {
    const { port } = receiver((request) => new Response(request.headers.get("host")));
    const answers = [["127.0.0.1"], ["169.254.169.254"]];
    let lookups = 0;
    const sender = senderOf({ resolve: async () => answers[lookups++] ?? [] });
    // A name server that changes its mind between check and use finds that there is nothing in between.
    expect(await sender.send(post(`http://rebind.test:${port}/`))).toMatchObject({
      body: `rebind.test:${port}`,
    });
    expect(lookups).toBe(1);
    expect(await sender.send(post(`http://rebind.test:${port}/`))).toMatchObject({ status: 200 });
    expect(lookups).toBe(1);
  });

  test("that changes to a refused address is refused after 5 s, on kept connections too", async () => {
    for (const answer of [OK, OK.replace("\r\n", "\r\nConnection: close\r\n")]) {
      const { seen, port } = await rawReceiver((socket) => socket.write(answer));
      const answers = [["127.0.0.1"], ["::ffff:169.254.169.254"]];
      const clock = { nowMs: 0, monotonicMs: () => clock.nowMs };
      const sender = senderOf({ resolve: async () => answers.shift() ?? [], clock });
      const target = post(`http://rebind.test:${port}/`);
      for (clock.nowMs of [0, 2_500, 4_999]) expect(await sender.send(target)).toMatchObject({ status: 200 });
      clock.nowMs = 5_000;
      expect(problemOf(await sender.send(target))).toBe(
        `rebind.test:${port} did not answer: rebind.test leads to ::ffff:169.254.169.254 is a link-local address, where webhooks never go; give the endpoint another URL`,
      );
      expect(seen.requests).toBe(3);
    }
  });

  test("with several addresses uses the allowed ones, and the next where one does not answer", async () => {
    const { port } = receiver(() => new Response());
    const resolve = async () => ["169.254.169.254", "127.0.0.9", "127.0.0.1"];
    expect(await senderOf({ resolve }).send(post(`http://many.test:${port}/`))).toMatchObject({
      status: 200,
    });
  });

  test("with several addresses uses another one the next time, where one lets the time go by", async () => {
    const { port = 0 } = receiver(() => new Response());
    const silent = Bun.listen({ hostname: "127.0.0.2", port, socket: { data: () => undefined } });
    const resolve = async () => ["127.0.0.2", "127.0.0.1"];
    const sender = senderOf({ resolve, timeoutMs: 100 });
    expect(problemOf(await sender.send(post(`http://many.test:${port}/`)))).toContain("within 100 ms");
    expect(await sender.send(post(`http://many.test:${port}/`))).toMatchObject({ status: 200 });
    silent.stop(true);
  });

  test("that is private is refused where targets must be public, before anything is sent", async () => {
    let requests = 0;
    const { port } = receiver(() => new Response(String(++requests)));
    const sender = senderOf({ targets: "public", resolve: async () => ["127.0.0.1", "::1"] });
    for (const host of ["private.test", "localhost", "127.0.0.1", "[::1]", "2130706433", "0x7f.1", "127.1"]) {
      const result = await sender.send(post(`http://${host}:${port}/`));
      expect(problemOf(result)).toContain('webhooks.targets is "public"');
    }
    expect(requests).toBe(0);
  });

  test("or address of cloud metadata is refused always, in every notation", async () => {
    const sender = senderOf({ resolve: async () => ["fd00:ec2::254"] });
    for (const host of [
      "169.254.169.254",
      "[::ffff:a9fe:a9fe]",
      "2852039166",
      "0xa9fea9fe",
      "0.0.0.0",
      "metadata.test",
    ])
      expect(problemOf(await sender.send(post(`http://${host}/`)))).toContain("never go");
  });

  test("that nobody knows, and one that is never resolved, are told", async () => {
    const unknown = senderOf({ resolve: () => Promise.reject(new Error("getaddrinfo ENOTFOUND no.test")) });
    expect(problemOf(await unknown.send(post("http://no.test/")))).toBe(
      "no.test did not answer: getaddrinfo ENOTFOUND no.test",
    );
    const empty = senderOf({ resolve: async () => [] });
    expect(problemOf(await empty.send(post("http://no.test/")))).toContain("no.test leads to no address");
    const silent = senderOf({ timeoutMs: 30, resolve: () => new Promise(() => {}) });
    expect(problemOf(await silent.send(post("http://no.test/")))).toContain("within 30 ms");
  });

  test("is resolved by the machine where nothing else is set", async () => {
    const { port } = receiver(() => new Response());
    expect(await senderOf().send(post(`http://localhost:${port}/`))).toMatchObject({ status: 200 });
  });
});

test("closing breaks off what is under way, and nothing is sent after", async () => {
  const { seen, port } = await rawReceiver(() => {});
  const sender = senderOf();
  const result = sender.send(post(`http://127.0.0.1:${port}/`));
  await until("the request is under way", () => seen.requests === 1);
  sender.close();
  expect(problemOf(await result)).toBe("the server is stopping");
  expect(problemOf(await sender.send(post(`http://127.0.0.1:${port}/`)))).toBe("the server is stopping");
  expect(seen.requests).toBe(1);
});
