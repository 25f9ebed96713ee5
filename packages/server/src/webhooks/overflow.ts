import { isStateEvent } from "@earshot/protocol/webhook";
import type { OutboxEntry } from "#core/ports";
import { addDeadLetter, type Death, forgetTooMany, owe } from "./burial.ts";
import type { Lane } from "./lane.ts";
import type { LaneHost } from "./parts.ts";

const CHUNK = 500; // ours: events that are given up in one turn, some milliseconds
const PAGE = 200; // ours: of one lane, in one turn

const TOO_MANY: Death = { reason: "too many waited", problem: "" };

interface Doomed {
  readonly lane: Lane;
  readonly cursor: number;
  readonly entries: OutboxEntry[];
}

/**
 * Gives up the oldest of what waits for an endpoint: about as many events as there are too many, and at most as many as
 * one turn can bear. States are owed instead, so they collapse to the newest; others become dead letters. False where
 * nothing could be done now.
 */
export async function giveUpOldest(host: LaneHost, lanes: readonly Lane[], excess: number): Promise<boolean> {
  const limit = Math.min(excess, CHUNK);
  const chosen = await choose(host, lanes, limit);
  if (chosen.length === 0) return false;
  const { parts, key, tally } = host;
  const wallMs = parts.clock.wallMs();
  const owedByLane = new Map<Lane, number>();
  let [dead, collapsed] = [0, 0];
  const isWritten = parts.store.write((tables) => {
    [dead, collapsed] = [0, 0];
    for (const { lane, entries } of chosen) {
      let owed = 0;
      for (const entry of entries.filter(({ event }) => host.wants(event))) {
        if (!isStateEvent(entry.event)) dead += addDeadLetter(tables, host, entry, TOO_MANY);
        else {
          collapsed++;
          if (owe(tables, key, lane.number, entry, wallMs)) owed++;
        }
      }
      owedByLane.set(lane, owed);
      tables.endpoints.putLane(key, lane.row(entries.at(-1)?.version));
    }
    dead -= forgetTooMany(tables, host, dead);
  });
  if (!isWritten) return false;
  for (const { lane, entries } of chosen) {
    const wanted = entries.filter(({ event }) => host.wants(event)).map(({ version }) => version);
    lane.arrears.owe(owedByLane.get(lane) ?? 0, wallMs);
    lane.skippedTo(entries.at(-1)?.version ?? 0, wanted);
  }
  tally.deadLetters += dead;
  tally.collapsed += collapsed;
  return true;
}

/** The oldest entries over all lanes, by lane. What is under way in a request is left alone. */
async function choose(host: LaneHost, lanes: readonly Lane[], limit: number): Promise<Doomed[]> {
  const pages: Doomed[] = [];
  let knownTo = Number.POSITIVE_INFINITY;
  for (const lane of lanes) {
    if (lane.isSending || lane.backlog.count === 0) continue;
    const { cursor } = lane.backlog;
    const entries = [...(await lane.backlog.oldest(PAGE))];
    const last = entries.at(-1);
    if (entries.length >= PAGE && last !== undefined) knownTo = Math.min(knownTo, last.version);
    pages.push({ lane, cursor, entries });
  }
  const wanted = pages
    .flatMap(({ entries }) => entries.filter(({ event }) => host.wants(event)))
    .map(({ version }) => version)
    .sort((a, b) => a - b);
  const last = wanted[Math.min(limit, wanted.length) - 1];
  const upTo = last === undefined ? knownTo : Math.min(knownTo, last);
  return pages
    .map((page) => ({ ...page, entries: page.entries.filter(({ version }) => version <= upTo) }))
    .filter(({ entries }) => entries.length > 0)
    .filter(({ lane, cursor }) => !lane.isSending && lane.backlog.cursor === cursor); // they may have gone on meanwhile
}
