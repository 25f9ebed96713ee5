/** What a seed has shown to be wrong. */
export class Finding extends Error {
  override readonly name = "Finding";
  readonly channel: string | undefined;

  /** @param channel that the trace is about */
  constructor(problem: string, channel?: string) {
    super(problem);
    this.channel = channel;
  }
}
