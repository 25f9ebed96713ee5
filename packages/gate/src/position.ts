import type { Counters } from "./counters.ts";
import { GateError } from "./gate-error.ts";
import type { ApiAnswer, Publisher } from "./publisher.ts";
import { type Time, within } from "./time.ts";

const MAX_NAME_CHARS = 100; // the server's: it becomes a label of metrics

/** How far the server is, and how far the gate's endpoint. */
export interface Position {
  /** The version of the newest event. */
  readonly position: number;
  /** Age of the oldest event that the webhooks have not brought yet; 0 where they have brought all. */
  readonly undeliveredMs: number;
  /** When the question was asked, on this process's monotonic clock. */
  readonly askedMs: number;
  /** The server's clock less this process's monotonic one. */
  readonly serverOffsetMs: number;
}

export interface Question {
  readonly publisher: Publisher;
  readonly time: Time;
  readonly timeoutMs: number;
  /** Whether the changes come by webhooks; a gate that reads the stream asks for the position alone. */
  readonly hearsByWebhooks: boolean;
  /** The id or URL of the endpoint that leads here; undefined for all that are told of occupied and vacated channels. */
  readonly endpoint: string | undefined;
  /** What the server's metrics call this gate. */
  readonly name: string;
  readonly counters: Counters;
}

/** @throws GateError where the server does not say it in time */
export async function askPosition(question: Question): Promise<Position> {
  const { publisher, time, timeoutMs, hearsByWebhooks } = question;
  const askedMs = time.monotonicMs();
  const asked = publisher.post({ path: "/occupancy/position", body: bodyOf(question) }).then(readAnswer);
  const answer = await within(time, timeoutMs, asked, () => {
    throw unavailable(`it did not answer within ${timeoutMs} ms`);
  });
  const midwayMs = (askedMs + time.monotonicMs()) / 2;
  const nowMs = numberIn(answer, "now_ms");
  return {
    position: numberIn(answer, "position"),
    undeliveredMs: hearsByWebhooks ? undeliveredMs(answer, nowMs) : 0,
    askedMs,
    serverOffsetMs: nowMs - midwayMs,
  };
}

function bodyOf({ endpoint, name, counters }: Question): object {
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    gate: name.slice(0, MAX_NAME_CHARS),
    // A Redis that lost its counts may count corrections of what it no longer knows.
    counters: {
      sent: Math.max(0, counters.sent),
      saved: Math.max(0, counters.saved),
      caught_up: Math.max(0, counters.caughtUp),
      failed_open: Math.max(0, counters.failedOpen),
    },
  };
}

async function readAnswer(answer: ApiAnswer): Promise<object> {
  const read = await answer.json();
  if (typeof read === "object" && read !== null) return read;
  throw unavailable(`its answer is ${JSON.stringify(read)}`);
}

function numberIn(answer: object, name: string): number {
  const value: unknown = Reflect.get(answer, name);
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw unavailable(`its answer has no number ${name}`);
}

function undeliveredMs(answer: object, nowMs: number): number {
  if (Reflect.get(answer, "endpoints") === 0) {
    throw unavailable(
      "no endpoint of the app is told of both occupied and vacated channels: see `earshot webhooks list`",
    );
  }
  // A server that leaves it out says nothing of the endpoint, which is no proof.
  if (Reflect.get(answer, "oldest_undelivered_ms") === null) return 0;
  return Math.max(0, nowMs - numberIn(answer, "oldest_undelivered_ms"));
}

function unavailable(why: string): GateError {
  return new GateError("position_unavailable", `the server did not tell its position: ${why}`);
}
