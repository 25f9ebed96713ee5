import { headBytesAt, joined, opcodeAt, payloadBytesAt, TEXT } from "./frame.ts";

/** Counts the text frames of one connection and skips their payloads unread. Frames and chunks may be cut anywhere. */
export class FrameCounter {
  /** Bytes still to come of the frame under way. */
  #owed = 0;
  #owedIsText = false;
  /** Start of a head that the last chunk cut. */
  #cutHead: Uint8Array | undefined;
  readonly #onControl: (opcode: number) => void;

  constructor(onControl: (opcode: number) => void) {
    this.#onControl = onControl;
  }

  /** @returns how many text frames ended within this chunk */
  receive(chunk: Uint8Array): number {
    const bytes = this.#cutHead === undefined ? chunk : joined(this.#cutHead, chunk);
    this.#cutHead = undefined;
    const end = bytes.length;
    let at = this.#owed;
    if (at > end) {
      this.#owed = at - end;
      return 0;
    }
    let frames = at > 0 && this.#owedIsText ? 1 : 0;
    this.#owed = 0;
    while (at < end) {
      const headBytes = headBytesAt(bytes, at);
      if (headBytes === 0) {
        this.#cutHead = bytes.slice(at);
        return frames;
      }
      const opcode = opcodeAt(bytes, at);
      if (opcode !== TEXT) this.#onControl(opcode);
      at += headBytes + payloadBytesAt(bytes, at);
      if (at > end) {
        this.#owed = at - end;
        this.#owedIsText = opcode === TEXT;
      } else if (opcode === TEXT) {
        frames++;
      }
    }
    return frames;
  }
}
