import type { Line } from "./line.ts";

/** A client takes a stream up to here and then opens the next one, dropping whatever else has come on the first. */
export const ROLL_OVER_CHARS = 262_144; // pusher-js, src/core/http/http_request.ts

/** An open receive request: what a session writes to. */
export interface Receiver {
  /** One more line may be written. */
  readonly hasRoom: boolean;
  /** Nothing more may be written, ever: the client is to send the next receive request. */
  readonly isFull: boolean;
  /** All that was written has left. */
  readonly isDrained: boolean;
  write(line: Line): void;
  /** Ends the response. */
  end(): void;
}

/** What a receiver tells its session. */
export interface ReceiverEvents {
  /** There is room again. */
  readonly drained: () => void;
  /** The response has ended, by whoever's doing. Told once. */
  readonly ended: () => void;
}

/** How long the runtime lets a connection be silent. */
export interface Patience {
  /** As long as an answer is open. */
  endless(): void;
  /** The usual: a connection that nobody uses is closed, and so is one whose reader has stopped. */
  usual(): void;
}
