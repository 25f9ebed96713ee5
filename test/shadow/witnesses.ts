import type { StampedEvent } from "@earshot/protocol/webhook";
import type { Earshot } from "../support/earshot.ts";
import type { ShadowClient } from "./client.ts";
import { apiView, viewOf, type Witness } from "./rest.ts";
import type { ShadowEndpoint } from "./shadow-endpoint.ts";
import type { ShadowStream } from "./shadow-stream.ts";
import type { Truth } from "./step.ts";
import { subjectOf } from "./subject.ts";
import { viewOfLog } from "./view.ts";
import { hasMembers } from "./world.ts";

export interface Cast {
  readonly earshot: Earshot;
  readonly clients: readonly ShadowClient[];
  readonly endpoints: readonly ShadowEndpoint[];
  readonly streams: readonly ShadowStream[];
  readonly log: () => readonly StampedEvent[];
}

const everything = () => true;

/** Everybody who believes to know who is where. */
export function witnessesOf(cast: Cast, truth: Truth): Witness[] {
  const { earshot, clients, log } = cast;
  return [
    {
      name: "the clients themselves",
      sees: everything,
      view: () => viewOf({ subscribed: clients.map(({ subscribed }) => subscribed) }),
    },
    { name: "the server's log", sees: everything, view: () => viewOfLog(log()) },
    ...cast.endpoints.filter(({ addedMs }) => addedMs !== undefined).flatMap(receivers),
    ...cast.streams.map(stream),
    { name: "the HTTP API", sees: everything, view: () => apiView(earshot) },
    ...clients.flatMap((client, index) => members(client, index, truth)),
  ];
}

/** What an application of each kind makes of the webhooks. */
function receivers({ plan, naive, ordered, redisView }: ShadowEndpoint): Witness[] {
  const sees = (subject: string) => subject.startsWith(plan.prefix);
  const name = `receiver "${plan.name}"`;
  return [
    { name: `${name}, which believes whatever comes,`, sees, view: () => naive.present },
    { name: `${name}, which goes by versions,`, sees, view: () => ordered.present },
    ...(redisView === undefined ? [] : [{ name: `the Redis set of ${name}`, sees, view: redisView }]),
  ];
}

/** Streams tell of channels only. */
function stream(reader: ShadowStream): Witness {
  const sees = (subject: string) => subject.startsWith(reader.prefix) && !subject.includes("/");
  return { name: reader.name, sees, view: () => reader.present };
}

/** The rooms that a client is in, as it sees them. */
function members(client: ShadowClient, index: number, { subscribed }: Truth): Witness[] {
  const rooms = [...(subscribed[index] ?? [])].filter(hasMembers);
  return rooms.map((room) => ({
    name: `client ${index} in ${room}`,
    sees: (subject) => subject.startsWith(subjectOf(room, "")),
    view: () => new Set([...client.membersOf(room)].map((user) => subjectOf(room, user))),
  }));
}
