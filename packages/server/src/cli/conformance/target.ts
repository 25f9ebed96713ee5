/** The server under test, as it was named on the command line. */
import type { Signer } from "./delivery.ts";
import type { WebhookReceiver } from "./webhook-receiver.ts";

export interface AppUnderTest {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

/** An app whose webhooks arrive, with the key pairs that may have signed them. */
export interface SendingApp {
  readonly id: string;
  readonly signers: readonly Signer[];
}

/** What the checks of webhooks work with. */
export interface WebhookSide {
  readonly receiver: WebhookReceiver;
  /** The app under test, and a second one where there is one. */
  readonly apps: readonly SendingApp[];
  /** How long the server holds back `channel_vacated`, as far as its operator knows. */
  readonly delayMs: number;
}

export interface Target {
  readonly url: URL;
  readonly app: AppUnderTest;
  /** Path prefix under which the server is mounted as well, such as `/realtime`. */
  readonly prefix?: string;
  /** Another node of the same cluster. */
  readonly otherNode?: URL;
  /** Checks that wait for time-outs of the server are run. */
  readonly isSlow?: boolean;
  /** Certificates are not looked at. */
  readonly isInsecure?: boolean;
  /** The server's process on this machine, which the last check ends with SIGTERM. */
  readonly pid?: number;
  /** Where the server sends its webhooks, if to us. */
  readonly webhooks?: WebhookSide;
  /** Why it does not. */
  readonly whyNoWebhooks?: string;
  /** How long an answer may take. */
  readonly answerMs: number;
}

export const ANSWER_MS = 3_000; // ours: far more than a server needs, on a busy machine too

export const VACATED_DELAY_MS = 3_000; // documented: webhooks#delay of the hosted service
