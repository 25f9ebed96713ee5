import { afterAll, describe, expect, test } from "bun:test";
import Pusher from "pusher";
import { until } from "../../../test/support/until.ts";
import { signedStream } from "./signed-stream.ts";

const ends: (() => unknown)[] = [];
afterAll(() => Promise.all(ends.map((end) => end())));

/** A server that hears of the end of each connection, and the library set up for it. */
function scene(answer: (request: Request, body: ReadableStream) => Response) {
  const requests: Request[] = [];
  const open = { count: 0 };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      requests.push(request);
      open.count++;
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode("first\n")),
        cancel: () => {
          open.count--;
        },
      });
      return answer(request, body);
    },
  });
  ends.push(() => server.stop(true));
  const pusher = new Pusher({
    appId: "7",
    key: "k",
    secret: "s",
    host: "127.0.0.1",
    port: String(server.port),
  });
  return { pusher, requests, open };
}

describe("a signed stream", () => {
  test("asks the app's own path, signed, and ends its connection with the signal", async () => {
    const { pusher, requests, open } = scene((_, body) => new Response(body));
    const connection = new AbortController();
    const body = await signedStream(pusher)("/occupancy", { last_event_id: "5" }, connection.signal);
    const { value } = await body[Symbol.asyncIterator]().next();
    expect(new TextDecoder().decode(value)).toBe("first\n");
    const url = new URL(requests[0]?.url ?? "");
    expect(url.pathname).toBe("/apps/7/occupancy");
    expect(url.searchParams.get("last_event_id")).toBe("5");
    const [query = "", signature] = url.search.slice(1).split("&auth_signature=");
    const signed = new Bun.CryptoHasher("sha256", "s")
      .update(`GET\n/apps/7/occupancy\n${query}`)
      .digest("hex");
    expect(signature).toBe(signed);
    expect(open.count).toBe(1);
    connection.abort();
    await until("the connection has ended", () => open.count === 0);
  });

  test("says with which words it was refused", async () => {
    const { pusher } = scene(() => new Response("Unknown auth_key\nremedy: use another", { status: 401 }));
    const { signal } = new AbortController();
    expect(signedStream(pusher)("/occupancy", {}, signal)).rejects.toThrow(
      "status 401: Unknown auth_key\nremedy: use another",
    );
  });

  test("fails where nobody listens, and where the signal has come before", async () => {
    const pusher = new Pusher({ appId: "7", key: "k", secret: "s", host: "127.0.0.1", port: "1" });
    expect(signedStream(pusher)("/occupancy", {}, new AbortController().signal)).rejects.toThrow();
    const { pusher: listened } = scene((_, body) => new Response(body));
    expect(signedStream(listened)("/occupancy", {}, AbortSignal.abort())).rejects.toThrow();
  });

  test("wants to know where the server is", () => {
    const { pusher } = scene(() => new Response());
    const nowhere = { ...bound(pusher) };
    expect(signedStream(nowhere)("/occupancy", {}, new AbortController().signal)).rejects.toThrow(
      "openStream",
    );
  });
});

function bound(pusher: Pusher) {
  return {
    trigger: pusher.trigger.bind(pusher),
    get: pusher.get.bind(pusher),
    post: pusher.post.bind(pusher),
    webhook: pusher.webhook.bind(pusher),
    createSignedQueryString: pusher.createSignedQueryString.bind(pusher),
  };
}
