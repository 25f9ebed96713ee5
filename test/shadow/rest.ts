/** At rest, everybody must know the same: who is where. */
import type { PositionAnswer } from "@earshot/protocol/occupancy";
import { callApi } from "../support/api.ts";
import type { Earshot } from "../support/earshot.ts";
import type { Truth } from "./step.ts";
import { subjectOf } from "./subject.ts";
import { difference, disputed, type View } from "./view.ts";
import { hasMembers, userOf } from "./world.ts";

/** Somebody who believes to know who is where. */
export interface Witness {
  readonly name: string;
  /** What is none of their business is left out of the truth that they are compared with. */
  readonly sees: (subject: string) => boolean;
  readonly view: () => View | Promise<View>;
}

export interface Dispute {
  readonly text: string;
  readonly channel: string | undefined;
}

/** The channels and members that are there, by subject. */
export function viewOf({ subscribed }: Truth): View {
  const view = new Set<string>();
  for (const [client, channels] of subscribed.entries()) {
    for (const channel of channels ?? []) {
      view.add(subjectOf(channel));
      if (hasMembers(channel)) view.add(subjectOf(channel, userOf(client)));
    }
  }
  return view;
}

/** The first witness who is not right, undefined where all are. */
export async function firstDispute(witnesses: readonly Witness[], truth: View): Promise<Dispute | undefined> {
  for (const { name, sees, view } of witnesses) {
    const own = new Set([...truth].filter(sees));
    const seen = await view();
    const text = difference(seen, own);
    if (text !== undefined) return { text: `${name} has it wrong: ${text}`, channel: disputed(seen, own) };
  }
  return undefined;
}

/** What the HTTP API answers. */
export async function apiView(earshot: Earshot): Promise<View> {
  const view = new Set<string>();
  const { channels } = await read(earshot, "/channels");
  for (const channel of Object.keys(channels ?? {})) {
    view.add(subjectOf(channel));
    if (!hasMembers(channel)) continue;
    const { users } = await read(earshot, `/channels/${channel}/users`);
    for (const { id } of users ?? []) view.add(subjectOf(channel, id));
  }
  return view;
}

/** How far behind the webhooks are, as a gate asks for it. */
export async function webhookPosition(earshot: Earshot): Promise<PositionAnswer> {
  const answer = await callApi(earshot, "POST", "/occupancy/position", { body: {} });
  if (answer.status !== 200) throw new Error(`POST /occupancy/position: ${answer.status} ${answer.text}`);
  return answer.json() as PositionAnswer; // the shape of the API
}

interface Answer {
  readonly channels?: Readonly<Record<string, unknown>>;
  readonly users?: readonly { readonly id: string }[];
}

async function read(earshot: Earshot, path: string): Promise<Answer> {
  const answer = await callApi(earshot, "GET", path);
  if (answer.status !== 200) throw new Error(`GET ${path}: ${answer.status} ${answer.text}`);
  return answer.json() as Answer; // the shapes of the API
}
