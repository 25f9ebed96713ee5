/** What a command answers: to a person, and with `--json` to a script. */
export interface Said {
  readonly text: string;
  readonly json: unknown;
  /** The exit code, 0 where left out. */
  readonly code?: number;
}
