/**
 * What a back-end may hear of which channels are occupied: the events of the occupancy stream, and the question for the
 * position of what is announced.
 *
 * @see docs/protocol/http-api.md#which-channels-are-occupied-as-a-stream
 */
import { ProtocolError, protocolError } from "./errors.ts";

/** The announced state of one channel. */
export interface ChannelState {
  readonly channel: string;
  /** Of two states of a channel the one with the higher version is the newer. */
  readonly version: number;
  /** Subscriptions when it was announced. */
  readonly count: number;
  /** Unix milliseconds at which it became so. */
  readonly occurred_ms: number;
}

export const MAX_SNAPSHOT_CHANNELS = 1_000; // ours: a page

/**
 * One page of those that are occupied.
 * @param cut the position of the snapshot, which its last page alone carries
 */
export function snapshotPage(channels: readonly ChannelState[], cut: number | undefined): string {
  if (cut === undefined) return streamEvent("snapshot", undefined, { channels });
  return streamEvent("snapshot", cut, { last: true, channels });
}

export function occupancyChange(name: "occupied" | "vacated", state: ChannelState): string {
  return streamEvent(name, state.version, state);
}

/** Says that the stream is alive, and that nothing up to the position is missing. */
export function heartbeat(position: number): string {
  return streamEvent("heartbeat", position, { position });
}

/** A line that says nothing but that the stream is alive. */
export const STREAM_COMMENT = ": still here\n\n";

function streamEvent(name: string, id: number | undefined, data: object): string {
  return `event: ${name}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/** The id that a reader saw last; undefined where it is none of ours, and a new snapshot is the answer. */
export function parseEventId(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  const id = Number(text);
  return Number.isSafeInteger(id) ? id : undefined;
}

/** What a gate has done since it started. */
export interface GateCounters {
  readonly sent: number;
  readonly saved: number;
  readonly caughtUp: number;
  readonly failedOpen: number;
}

export interface PositionQuestion {
  /** An endpoint's id or URL. */
  readonly endpoint: string | undefined;
  /** What the gate calls itself in the metrics. */
  readonly gate: string | undefined;
  readonly counters: GateCounters | undefined;
}

export interface PositionAnswer {
  /** The version of the newest event. */
  readonly position: number;
  readonly now_ms: number;
  /** Endpoints that the next two speak of. */
  readonly endpoints: number;
  /** Unix milliseconds at which the oldest event that waits for one of them happened. */
  readonly oldest_undelivered_ms: number | null;
  readonly waiting: number;
}

const MAX_GATE_CHARS = 100; // ours: it becomes a label of metrics
const MAX_ENDPOINT_CHARS = 2_048; // ours: URLs of endpoints are no longer

/** The body of POST /occupancy/position; everything in it may be left out. */
export function parsePositionQuestion(body: unknown): PositionQuestion | ProtocolError {
  if (body === undefined) return { endpoint: undefined, gate: undefined, counters: undefined };
  if (!isFields(body)) return protocolError("apiBodyInvalid", { problem: "it is not a JSON object" });
  const endpoint = text(body, "endpoint", MAX_ENDPOINT_CHARS);
  if (endpoint instanceof ProtocolError) return endpoint;
  const gate = text(body, "gate", MAX_GATE_CHARS);
  if (gate instanceof ProtocolError) return gate;
  const counters = parseCounters(body["counters"]);
  return counters instanceof ProtocolError ? counters : { endpoint, gate, counters };
}

function parseCounters(given: unknown): GateCounters | undefined | ProtocolError {
  if (given === undefined || given === null) return undefined;
  if (!isFields(given)) return invalid("counters", "it must be an object of numbers");
  const numbers: number[] = [];
  for (const name of ["sent", "saved", "caught_up", "failed_open"]) {
    const value = given[name] ?? 0;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
      return invalid(`counters.${name}`, "it must be a whole number, 0 or more");
    numbers.push(value);
  }
  const [sent = 0, saved = 0, caughtUp = 0, failedOpen = 0] = numbers;
  return { sent, saved, caughtUp, failedOpen };
}

function text(fields: Fields, name: string, maxChars: number): string | undefined | ProtocolError {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" && value !== "" && value.length <= maxChars) return value;
  const actual = typeof value === "string" ? `has ${value.length}` : `is of type ${typeof value}`;
  return invalid(name, `it must be a text of 1 to ${maxChars} characters and ${actual}`);
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(parameter: string, problem: string): ProtocolError {
  return protocolError("apiParameterInvalid", { parameter, problem });
}
