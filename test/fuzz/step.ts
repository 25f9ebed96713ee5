/** What an episode is made of: plain JSON, so that a finding can be written down, sent to somebody and replayed. */
import { type KeyPair, signChannel, signUser } from "@earshot/protocol/signature";
import { digest } from "../support/digest.ts";

/** Long texts are written in pieces: a text, or a text and how often it stands there. */
export type Pieces = string | readonly (string | readonly [text: string, times: number])[];

/** In a text step, this is replaced by the signature for `sign`, by the client that sends it. */
export const AUTH_MARK = "@AUTH@";

export type TextStep = Extract<Step, { do: "text" }>;

export type Step =
  /** A client sends a text message. */
  | {
      readonly do: "text";
      readonly client: number;
      readonly text: Pieces;
      readonly sign?: readonly [channel: string, channelData?: Pieces];
      /** The user_data that is signed instead, where the client signs in. */
      readonly signIn?: string;
      /** The signature is made with a secret that is not the app's. */
      readonly forged?: true;
    }
  | { readonly do: "binary"; readonly client: number }
  /** A connection breaks off, and another client takes its place. */
  | { readonly do: "break"; readonly client: number }
  | { readonly do: "wait"; readonly ms: number }
  /** A back-end publishes. */
  | { readonly do: "publish"; readonly channel: string }
  | RequestStep
  /** A back end of the server that is slow gives one of the answers that it owes, or fails to. */
  | { readonly do: "answer"; readonly at: number }
  | { readonly do: "fail"; readonly at: number }
  /** Bytes (one character a byte) on a fresh TCP connection. */
  | { readonly do: "tcp"; readonly bytes: Pieces }
  /** Bytes on a fresh connection that was upgraded to a WebSocket. */
  | { readonly do: "frames"; readonly bytes: Pieces };

export interface RequestStep {
  readonly do: "request";
  readonly method: string;
  readonly path: string;
  /** As it stands in the URL, without the signature's parameters. */
  readonly query: string;
  /** One character a byte; no body where left out. */
  readonly body?: Pieces;
  readonly sign: boolean;
  /** The signature is made with a secret that is not the app's. */
  readonly forged?: true;
  /** One bit of the signed query that is changed after signing. */
  readonly tamper?: readonly [at: number, bit: number];
  /** How the body is announced over a real socket. */
  readonly framing?: Framing;
}

export const FRAMINGS = ["length", "chunked", "short", "long", "none", "both", "wrong"] as const;
export type Framing = (typeof FRAMINGS)[number];

export function textOf(pieces: Pieces): string {
  if (typeof pieces === "string") return pieces;
  return pieces.map((piece) => (typeof piece === "string" ? piece : piece[0].repeat(piece[1]))).join("");
}

/** What signs in place of the app's secret where a signature is forged. */
export const WRONG_SECRET = "not-the-secret";

/** The text of a step, signed for the client that sends it. */
export function signedText(step: TextStep, pair: KeyPair, socketId: string): string {
  const text = textOf(step.text);
  const { sign, signIn } = step;
  const secret = step.forged ? WRONG_SECRET : pair.secret;
  if (signIn !== undefined)
    return text.replace(AUTH_MARK, () => signUser(digest, { ...pair, secret }, socketId, signIn));
  if (sign === undefined) return text;
  const [channel, data] = sign;
  const channelData = data === undefined ? undefined : textOf(data);
  return text.replace(AUTH_MARK, () =>
    signChannel(digest, { ...pair, secret }, socketId, channel, channelData),
  );
}

/** Text with one character a byte. */
export function bytesOf(pieces: Pieces): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(textOf(pieces), "latin1"));
}

/** UTF-8, one character a byte. */
export function asBytes(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/** What was wrong, and at which step. */
export interface Finding {
  readonly step: number;
  readonly problem: string;
}

/** Something that plays episodes. */
export interface Target {
  readonly name: string;
  generate(seed: number): readonly Step[];
  play(steps: readonly Step[]): Promise<Finding | undefined>;
  /** Whether a finding may be made smaller by playing it many times. */
  readonly shrinks: boolean;
  stop?(): Promise<void>;
}
