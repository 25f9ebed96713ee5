/** One frame of each kind that the server sends, as far as it can be made to; the checks of section D share them. */
import type { Client } from "./client.ts";
import type { Frame } from "./frame.ts";
import { userAuth } from "./signing.ts";
import { memberData, Stage } from "./stage.ts";
import type { Target } from "./target.ts";

const collected = new WeakMap<Target, Promise<readonly Frame[]>>();

export function everythingFrom(target: Target): Promise<readonly Frame[]> {
  let frames = collected.get(target);
  if (frames === undefined) {
    frames = collect(target);
    collected.set(target, frames);
  }
  return frames;
}

async function collect(target: Target): Promise<readonly Frame[]> {
  const stage = new Stage(target);
  const clients: Client[] = [];
  const connect = async (): Promise<Client> => {
    const client = await stage.connect();
    clients.push(client);
    return client;
  };
  try {
    const [ann, bo] = [await connect(), await connect()];
    const room = stage.name("presence-");
    const [news, cache, chat] = [stage.name(), stage.name("cache-"), stage.name("private-")];
    await ann.subscribe(room, memberData("ann", { name: "Ann" })).catch(() => undefined);
    await bo.subscribe(room, memberData("bo", { name: "Bo" })).catch(() => undefined);
    for (const channel of [news, cache, chat, stage.name("private-encrypted-")]) {
      for (const client of [ann, bo]) await client.subscribe(channel).catch(() => undefined);
    }
    await stage.publish([news, cache, room], "update", "plain").catch(() => undefined);
    for (const data of [{ a: 1 }, "text", 7, null]) {
      ann.send({ event: "client-x", channel: chat, data });
      ann.send({ event: "client-x", channel: room, data });
    }
    ann.send({ event: "client-x", channel: chat });
    const wrong = [
      "not json",
      { event: "pusher:nothing" },
      { event: "pusher:subscribe", data: { channel: stage.name("private-"), auth: "a:b" } },
      { event: "pusher:subscribe", data: { channel: "not a name" } },
      { event: "client-x", channel: news, data: {} },
    ];
    for (const message of wrong) {
      const client = await connect();
      client.send(message);
      client.send({ event: "pusher:ping" });
    }
    const user = await connect();
    const user_data = JSON.stringify({ id: stage.name("user-"), watchlist: ["somebody"] });
    user.send({
      event: "pusher:signin",
      data: { auth: userAuth(target.app, user.socketId, user_data), user_data },
    });
    await stage.quiet(ann).catch(() => undefined);
    bo.leave(room);
    await Bun.sleep(500);
    return clients.flatMap(({ frames }) => frames).filter(({ event }) => !event.startsWith("("));
  } finally {
    stage.end();
  }
}
