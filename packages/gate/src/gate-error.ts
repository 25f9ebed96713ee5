/** What can go wrong, as a word that a program can compare. A code that was released is never given another meaning. */
export type GateErrorCode =
  /** The gate cannot be made with these options. */
  | "options_invalid"
  /** `trigger` was given what the `pusher` library refuses, before anything was sent. */
  | "message_invalid"
  /** More messages wait behind a channel's drain than the gate holds; this one was neither sent nor queued. */
  | "queue_full"
  /** The server did not say how far it is; after a while every channel is unknown and everything passes. */
  | "position_unavailable"
  /** The server has more to tell than the gate has heard; after a while every channel is unknown. */
  | "feed_behind"
  /** The occupancy stream ended or was refused; it is opened again. */
  | "stream_failed"
  /** The store did not answer; meanwhile everything passes. */
  | "store_unavailable"
  /** A message that waited was refused by the server, or could not be sent for a minute, and is gone. */
  | "message_dropped"
  /** A function of yours, given to `onOccupied` or `receiver`, threw or did not end. */
  | "handler_failed"
  /** A webhook reached the receiver without its raw body. */
  | "body_consumed";

export class GateError extends Error {
  override readonly name = "GateError";
  readonly code: GateErrorCode;

  constructor(code: GateErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** What a failure says of itself, in one line. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // The `pusher` library puts the server's own words, or the error that stopped it, beside its message.
  const body: unknown = Reflect.get(error, "body");
  const inner: unknown = Reflect.get(error, "error");
  if (typeof body === "string" && body.trim() !== "") return `${error.message}: ${body.trim().slice(0, 300)}`;
  return inner instanceof Error ? `${error.message}: ${inner.message}` : error.message;
}
