/**
 * The limit of the runtime: `Bun.serve` with native topics and just enough of the protocol that the bench's own client is served.
 * It trusts that client: a query in the order in which it is signed, a body of the expected shape. Not a server for anybody else.
 *
 * Usage: bun server.ts PORT ID:KEY:SECRET
 */
const [portText, credentialsText] = process.argv.slice(2);
const [appId, key, secret] = (credentialsText ?? "").split(":");
if (portText === undefined || appId === undefined || key === undefined || secret === undefined) {
  console.error("usage: bun server.ts PORT ID:KEY:SECRET");
  process.exit(1);
}

interface Connection {
  readonly socketId: string;
}

/** Keyed once; a copy costs less than keying again. */
const hmac = new Bun.CryptoHasher("sha256", secret);
const authPrefix = `${key}:`;
const eventsPath = `/apps/${appId}/events`;
const signedHead = `POST\n${eventsPath}\n`;
const signatureMark = "&auth_signature=";
const md5Mark = "&body_md5=";
const md5Chars = 32;

function sign(text: string): string {
  return hmac.copy().update(text).digest("hex");
}

function newSocketId(): string {
  const random = crypto.getRandomValues(new Uint32Array(2));
  return `${random[0]}.${random[1]}`;
}

const accepted = (): Response => new Response("{}", { headers: { "Content-Type": "application/json" } });
const refused = (): Response => new Response("Invalid signature", { status: 401 });

async function trigger(request: Request): Promise<Response> {
  const body = await request.bytes();
  const url = request.url;
  const query = url.slice(url.indexOf("?") + 1);
  const signatureAt = query.lastIndexOf(signatureMark);
  const signed = query.slice(0, signatureAt);
  const md5At = signed.indexOf(md5Mark) + md5Mark.length;
  if (Bun.MD5.hash(body, "hex") !== signed.slice(md5At, md5At + md5Chars)) return refused();
  if (sign(signedHead + signed) !== query.slice(signatureAt + signatureMark.length)) return refused();
  const event = JSON.parse(utf8.decode(body)) as { name: string; channels: string[]; data: string };
  for (const channel of event.channels) {
    server.publish(channel, JSON.stringify({ event: event.name, channel, data: event.data }));
  }
  return accepted();
}

const utf8 = new TextDecoder();

const server = Bun.serve<Connection>({
  port: Number(portText),
  hostname: "0.0.0.0",
  fetch(request, self) {
    if (request.method === "POST") return trigger(request);
    if (self.upgrade(request, { data: { socketId: newSocketId() } })) return undefined;
    return new Response("not found", { status: 404 });
  },
  websocket: {
    perMessageDeflate: false,
    backpressureLimit: 16 * 1024 * 1024,
    closeOnBackpressureLimit: true,
    open(socket) {
      const data = JSON.stringify({ socket_id: socket.data.socketId, activity_timeout: 120 });
      socket.send(JSON.stringify({ event: "pusher:connection_established", data }));
    },
    message(socket, text) {
      const message = JSON.parse(text as string) as {
        event: string;
        data: { channel: string; auth?: string };
      };
      if (message.event === "pusher:ping") {
        socket.send('{"event":"pusher:pong","data":"{}"}');
        return;
      }
      const { channel, auth } = message.data;
      if (
        channel.startsWith("private-") &&
        auth !== authPrefix + sign(`${socket.data.socketId}:${channel}`)
      ) {
        socket.send('{"event":"pusher:error","data":{"code":null,"message":"Invalid signature"}}');
        return;
      }
      socket.subscribe(channel);
      socket.send(JSON.stringify({ event: "pusher_internal:subscription_succeeded", channel, data: "{}" }));
    },
  },
});

process.on("SIGTERM", () => {
  void server.stop(true).then(() => process.exit(0));
});
console.log(`bare is listening on http://127.0.0.1:${server.port}`);
