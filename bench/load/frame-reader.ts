import { headBytesAt, joined, opcodeAt, payloadBytesAt } from "./frame.ts";

/** Called for each whole frame; the payload lies in `bytes` from `start` up to `end` and is only valid during the call. */
export type OnFrame = (opcode: number, bytes: Uint8Array, start: number, end: number) => void;

/** Hands over whole frames of one connection, wherever the network cut them. */
export class FrameReader {
  #rest: Uint8Array | undefined;
  readonly #onFrame: OnFrame;

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame;
  }

  receive(chunk: Uint8Array): void {
    const bytes = this.#rest === undefined ? chunk : joined(this.#rest, chunk);
    this.#rest = undefined;
    let at = 0;
    while (at < bytes.length) {
      const headBytes = headBytesAt(bytes, at);
      const end = at + headBytes + (headBytes === 0 ? 0 : payloadBytesAt(bytes, at));
      if (headBytes === 0 || end > bytes.length) {
        this.#rest = bytes.slice(at);
        return;
      }
      this.#onFrame(opcodeAt(bytes, at), bytes, at + headBytes, end);
      at = end;
    }
  }

  /** What came of a frame that is not whole yet, for the reader that takes over. */
  takeRest(): Uint8Array | undefined {
    const rest = this.#rest;
    this.#rest = undefined;
    return rest;
  }
}
