import { describe, expect, test } from "bun:test";
import type { Socket } from "node:net";
import { selfSigned } from "../../../../test/support/self-signed.ts";
import { until } from "../../../../test/support/until.ts";
import { OK, post, problemOf, sending } from "./testing/sending.ts";

const { senderOf, receiver, rawReceiver } = sending();
const resolve = async () => ["127.0.0.1"];

describe("on the wire", () => {
  test("a request is what was meant, and nothing else", async () => {
    const { seen, port } = await rawReceiver((socket) => socket.write(OK));
    const headers = { "User-Agent": "Earshot/1.0.0", "X-Pusher-Key": "k", "content-type": "text/plain" };
    await senderOf({ resolve }).send(
      post(`http://u:p@Shop.test:${port}/in?a=b%20c#part`, headers, '{"é":"\\n"}'),
    );
    const [head = "", body] = (seen.texts[0] ?? "").split("\r\n\r\n");
    const [line, ...fields] = head.split("\r\n");
    expect(line).toBe("POST /in?a=b%20c HTTP/1.1");
    expect(fields.sort()).toEqual([
      "Accept: */*",
      "Connection: keep-alive",
      "Content-Length: 11",
      "Content-Type: text/plain",
      `Host: shop.test:${port}`,
      "User-Agent: Earshot/1.0.0",
      "X-Pusher-Key: k",
    ]);
    expect(body).toBe(Buffer.from('{"é":"\\n"}').toString("latin1"));
  });

  test("a cookie that a receiver sets does not come back", async () => {
    const { seen, port } = await rawReceiver((socket) =>
      socket.write(OK.replace("\r\n", "\r\nSet-Cookie: a=b\r\n")),
    );
    const sender = senderOf();
    for (let i = 0; i < 2; i++) await sender.send(post(`http://127.0.0.1:${port}/`));
    expect(seen.requests).toBe(2);
    expect(seen.texts.join("").toLowerCase()).not.toContain("cookie");
  });

  test("an answer is not decompressed", async () => {
    const bomb = Bun.gzipSync(new Uint8Array(50_000_000));
    const { url } = receiver(() => new Response(bomb, { headers: { "Content-Encoding": "gzip" } }));
    const result = await senderOf().send(post(url.href));
    expect(result).toMatchObject({ answered: true, status: 200 });
    expect(result.answered && result.body.charCodeAt(0)).toBe(0x1f);
  });

  test("no proxy of the environment is asked", async () => {
    const proxy = await rawReceiver((socket) => socket.write(OK));
    const direct = await rawReceiver((socket) => socket.write(OK));
    const names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    const before = [...names, "NO_PROXY", "no_proxy"].map((name) => [name, process.env[name]] as const);
    try {
      for (const name of names) process.env[name] = `http://127.0.0.1:${proxy.port}`;
      process.env["NO_PROXY"] = process.env["no_proxy"] = "";
      const sender = senderOf({ resolve });
      for (const url of [`http://127.0.0.1:${direct.port}/`, `http://shop.test:${direct.port}/`])
        expect(await sender.send(post(url))).toMatchObject({ status: 200 });
      await sender.send(post(`https://shop.test:${direct.port}/`));
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
    expect(proxy.seen.connections).toBe(0);
    expect(direct.seen.connections).toBe(3);
  });
});

describe("two names on one address", () => {
  const one = selfSigned("one", "one.test");
  const two = selfSigned("two", "two.test");
  const ca = one.cert + two.cert;

  test("have connections of their own", async () => {
    const peers: Record<string, Set<number | undefined>> = {};
    const { port } = receiver(
      (request, server) => {
        const name = new URL(request.url).hostname;
        peers[name] ??= new Set();
        peers[name].add(server.requestIP(request)?.port);
        return new Response(name);
      },
      [
        { ...one, serverName: "one.test" },
        { ...two, serverName: "two.test" },
      ],
    );
    const sender = senderOf({ ca, resolve });
    for (let i = 0; i < 3; i++)
      for (const name of ["one.test", "two.test"])
        expect(await sender.send(post(`https://${name}:${port}/`))).toMatchObject({ body: name });
    expect(peers["one.test"]?.size).toBe(1);
    expect(peers["two.test"]?.size).toBe(1);
    expect(peers["one.test"]).not.toEqual(peers["two.test"]);
  });

  test("are not taken for each other where the certificate of only one is shown", async () => {
    let requests = 0;
    const { port } = receiver(() => new Response(String(++requests)), one);
    const sender = senderOf({ ca, resolve });
    for (let i = 0; i < 2; i++) {
      expect(await sender.send(post(`https://one.test:${port}/`))).toMatchObject({ status: 200 });
      expect(problemOf(await sender.send(post(`https://two.test:${port}/`)))).toContain("altnames");
    }
    expect(requests).toBe(2);
    const usual = senderOf({ resolve });
    expect(problemOf(await usual.send(post(`https://one.test:${port}/`)))).toContain("self");
    expect(requests).toBe(2);
  });
});

describe("a kept connection", () => {
  const goodbyes = [(socket: Socket) => socket.resetAndDestroy(), (socket: Socket) => socket.end()];

  test("that the receiver hung up on while it was idle is not used", async () => {
    for (const hangUp of goodbyes) {
      const { seen, port } = await rawReceiver((socket) => {
        socket.write(OK, () => setTimeout(() => hangUp(socket), 5));
      });
      const sender = senderOf();
      for (let i = 1; i <= 2; i++) {
        expect(await sender.send(post(`http://127.0.0.1:${port}/`))).toMatchObject({ status: 200 });
        await until("the connection is closed", () => seen.closed === i);
      }
      expect(seen).toMatchObject({ connections: 2, requests: 2 });
    }
  });

  test("is followed by one new one where both are hung up on", async () => {
    for (const hangUp of goodbyes) {
      const { seen, port } = await rawReceiver((socket, _request, requests) => {
        if (requests === 1) socket.write(OK);
        else hangUp(socket);
      });
      const sender = senderOf();
      await sender.send(post(`http://127.0.0.1:${port}/`));
      expect(problemOf(await sender.send(post(`http://127.0.0.1:${port}/`)))).toContain("hung up");
      expect(seen).toMatchObject({ connections: 2, requests: 3 });
    }
  });

  test("is not used after 4 s", async () => {
    const { seen, port } = await rawReceiver((socket) => socket.write(OK));
    const clock = { nowMs: 0, monotonicMs: () => clock.nowMs };
    const sender = senderOf({ clock });
    for (clock.nowMs of [0, 3_999, 7_999]) await sender.send(post(`http://127.0.0.1:${port}/`));
    expect(seen).toMatchObject({ connections: 2, requests: 3 });
    await until("the old connection is closed", () => seen.closed === 1);
  });

  test("is none after an answer that says so", async () => {
    for (const status of ["200 OK", "503 Busy"]) {
      const { seen, port } = await rawReceiver((socket) =>
        socket.write(`HTTP/1.1 ${status}\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok`),
      );
      const sender = senderOf();
      for (let i = 0; i < 2; i++) await sender.send(post(`http://127.0.0.1:${port}/`));
      expect(seen.connections).toBe(2);
      await until("both are closed", () => seen.closed === 2);
    }
  });
});

test("a request on the new connection that follows a closed one is made once", async () => {
  const { seen, port } = await rawReceiver((socket, _request, requests) => {
    if (requests === 1) socket.end(OK.replace("\r\n", "\r\nConnection: close\r\n"));
    else socket.destroy();
  });
  const sender = senderOf();
  expect(await sender.send(post(`http://127.0.0.1:${port}/`))).toMatchObject({ status: 200 });
  expect(problemOf(await sender.send(post(`http://127.0.0.1:${port}/`)))).toContain("hung up");
  expect(seen.requests).toBe(2);
});

describe("of several addresses", () => {
  test("an unreachable one is passed over, whatever its family", async () => {
    const { port } = receiver(() => new Response("found"));
    const many = async () => ["::1", "127.0.0.9", "127.0.0.1"];
    const result = await senderOf({ resolve: many }).send(post(`http://many.test:${port}/`));
    expect(result).toMatchObject({ status: 200, body: "found" });
  });

  test("none gets the request that another one may have got", async () => {
    const { seen, port } = await rawReceiver((socket) => socket.destroy());
    const many = async () => ["127.0.0.1", "127.0.0.1"];
    const result = await senderOf({ resolve: many }).send(post(`http://many.test:${port}/`));
    expect(problemOf(result)).toContain(`hung up before it answered (ECONNRESET at 127.0.0.1:${port})`);
    expect(seen.requests).toBe(1);
  });
});

test("closing breaks off a lookup", async () => {
  const sender = senderOf({ resolve: () => new Promise(() => {}) });
  const result = sender.send(post("http://no.test/"));
  sender.close();
  expect(problemOf(await result)).toBe("the server is stopping");
});
