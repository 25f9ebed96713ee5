import { GateError, reasonOf } from "./gate-error.ts";
import { type OccupancyFrame, readFrame } from "./occupancy-frame.ts";
import type { OpenStream } from "./signed-stream.ts";
import { StreamParser } from "./sse.ts";
import { type Time, within } from "./time.ts";

const STALL_MS = 35_000; // two heartbeats of the server, and five seconds
const OPEN_MS = 10_000; // ours: an answer to the request itself
const MAX_EVENT_CHARS = 8_388_608; // ours: a page of a snapshot is far shorter

export interface StreamRequest {
  readonly open: OpenStream;
  readonly time: Time;
  /** Only channels whose name begins with it; empty for all. */
  readonly prefix: string;
  /** Where to go on; undefined for a snapshot first. */
  readonly after: number | undefined;
  /** Ends the stream. */
  readonly signal: AbortSignal;
}

/**
 * Opens the occupancy stream, signed anew, and yields what it tells, in the order in which it came and as much at once as
 * came at once.
 *
 * @throws GateError when it is refused, ends, stalls, or says what is not documented
 */
export async function* occupancyStream(request: StreamRequest): AsyncGenerator<readonly OccupancyFrame[]> {
  const { open, time, prefix, after, signal } = request;
  const connection = new AbortController();
  const end = () => connection.abort();
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  const params = {
    ...(prefix === "" ? {} : { filter_by_prefix: prefix }),
    ...(after === undefined ? {} : { last_event_id: String(after) }),
  };
  try {
    const body = await within(time, OPEN_MS, open("/occupancy", params, connection.signal), () => {
      throw failed(`the server did not answer within ${OPEN_MS / 1_000} s`);
    });
    const parser = new StreamParser(MAX_EVENT_CHARS);
    const chunks = body[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await within(time, STALL_MS, chunks.next(), () => {
        throw failed(`nothing came for ${STALL_MS / 1_000} s, not even a heartbeat`);
      });
      if (done) throw failed("the server ended it");
      const frames = parser.push(value).flatMap((event) => readFrame(event) ?? []);
      if (frames.length > 0) yield frames;
    }
  } catch (error) {
    if (signal.aborted) return;
    throw error instanceof GateError ? error : failed(reasonOf(error), error);
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}

function failed(why: string, cause?: unknown): GateError {
  return new GateError("stream_failed", `the occupancy stream failed: ${why}`, cause);
}
