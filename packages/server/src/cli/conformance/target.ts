/** The server under test, as it was named on the command line. */

export interface AppUnderTest {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
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
  /** How long an answer may take. */
  readonly answerMs: number;
}

export const ANSWER_MS = 3_000; // ours: far more than a server needs, on a busy machine too
