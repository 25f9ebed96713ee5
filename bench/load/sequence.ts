/**
 * Every event of the bench carries its number in its data, `{"seq":"00000012","text":"aaa"}`, in a fixed width: so a delivery can be
 * told from another without decoding the frame around it.
 */
const SEQUENCE_DIGITS = 8;

const DATA_WITHOUT_TEXT = sequenceData(0, 0).length;
const ZERO = 0x30;
/** The key as it stands inside a frame, where the data is a string within JSON. */
const ESCAPED_KEY = new TextEncoder().encode('seq\\":\\"');

/** Event data of `bytes` bytes that carries the number `sequence`. */
export function eventData(sequence: number, bytes: number): string {
  if (bytes < DATA_WITHOUT_TEXT)
    throw new RangeError(`--bytes must be at least ${DATA_WITHOUT_TEXT}, not ${bytes}`);
  return sequenceData(sequence, bytes - DATA_WITHOUT_TEXT);
}

function sequenceData(sequence: number, textBytes: number): string {
  return JSON.stringify({
    seq: String(sequence).padStart(SEQUENCE_DIGITS, "0"),
    text: "a".repeat(textBytes),
  });
}

/** Where the digits of the number start, counted from `start`, or -1. One server writes all frames alike, so it is searched once. */
export function sequenceOffset(bytes: Uint8Array, start: number, end: number): number {
  const last = end - ESCAPED_KEY.length - SEQUENCE_DIGITS;
  for (let at = start; at <= last; at++) {
    if (ESCAPED_KEY.every((byte, i) => bytes[at + i] === byte)) return at + ESCAPED_KEY.length - start;
  }
  return -1;
}

export function sequenceAt(bytes: Uint8Array, at: number): number {
  let sequence = 0;
  for (let i = at; i < at + SEQUENCE_DIGITS; i++) sequence = sequence * 10 + ((bytes[i] ?? 0) - ZERO);
  return sequence;
}
