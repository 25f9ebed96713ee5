const SHOWN_LINES = 60;

/** Whom a line is about; about neither where it concerns everybody. */
export interface About {
  readonly client?: number;
  readonly channel?: string | undefined;
}

interface Line extends About {
  readonly atMs: number;
  readonly text: string;
}

/** What happened in an episode, for the reader of a finding. */
export class Trace {
  readonly #lines: Line[] = [];

  tell(text: string, about: About = {}): void {
    this.#lines.push({ atMs: Date.now(), text, ...about });
  }

  /** The last lines that concern a channel and the clients that were on it, or all where none is given. */
  ofChannel(channel: string | undefined): string {
    const ofIt = this.#lines.filter((line) => channel !== undefined && line.channel === channel);
    const clients = new Set(ofIt.map(({ client }) => client));
    const isShown = (line: Line) =>
      channel === undefined ||
      line.channel === channel ||
      (line.channel === undefined && (line.client === undefined || clients.has(line.client)));
    return this.#lines.filter(isShown).slice(-SHOWN_LINES).map(shown).join("\n");
  }

  get all(): string {
    return `${this.#lines.map(shown).join("\n")}\n`;
  }
}

function shown({ atMs, text }: Line): string {
  return `  ${atMs} ${text}`;
}
