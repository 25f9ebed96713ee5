import { type Loaded, loadSettings } from "#config/load";
import { EventStreamParser } from "./event-stream.ts";
import { findTarget, NoAnswer, refusalOf, request, TARGET_FORM, type Target } from "./target.ts";
import { tellProblems } from "./tell-problems.ts";
import { printable, type Terminal } from "./terminal.ts";

const SILENCE_MS = 45_000; // ours: three heartbeats of the server
const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 5_000;

export interface TailTimes {
  readonly silenceMs: number;
  readonly firstWaitMs: number;
}

const FLAGS = { ...TARGET_FORM.flags, json: "boolean" } as const;

/**
 * `earshot tail [CHANNEL...]`: prints what is published until it is stopped.
 *
 * @param stop ends it, for tests
 */
export async function tail(
  args: readonly string[],
  terminal: Terminal,
  stop: AbortSignal = new AbortController().signal,
  times: TailTimes = { silenceMs: SILENCE_MS, firstWaitMs: FIRST_WAIT_MS },
): Promise<number> {
  const loaded = loadSettings(
    { args, env: terminal.env },
    { settings: TARGET_FORM.settings, own: FLAGS, mayHaveMore: true },
  );
  if (!loaded.ok) return tellProblems(loaded.problems, terminal);
  await new Tail(loaded, terminal, stop, times).run();
  return 0;
}

class Tail {
  readonly #loaded: Extract<Loaded<typeof FLAGS>, { ok: true }>;
  readonly #terminal: Terminal;
  readonly #stop: AbortSignal;
  readonly #times: TailTimes;
  readonly #channels: ReadonlySet<string>;

  constructor(
    loaded: Extract<Loaded<typeof FLAGS>, { ok: true }>,
    terminal: Terminal,
    stop: AbortSignal,
    times: TailTimes,
  ) {
    this.#loaded = loaded;
    this.#terminal = terminal;
    this.#stop = stop;
    this.#times = times;
    this.#channels = new Set(loaded.words);
  }

  async run(): Promise<void> {
    let target = await this.#target();
    let response = await this.#open(target);
    for (;;) {
      const why = await this.#print(response);
      if (this.#stop.aborted) return;
      this.#terminal.err(
        `The connection to ${target.url} is lost (${why}); events are missed until it is back.`,
      );
      const again = await this.#reconnect();
      if (again === undefined) return;
      [target, response] = again;
      this.#terminal.err(`Connected to ${target.url} again.`);
    }
  }

  /** A server that has restarted may listen somewhere else: the folder knows. */
  #target(): Promise<Target> {
    return findTarget(this.#loaded.settings, this.#loaded.own);
  }

  async #open(target: Target): Promise<Response> {
    // A comma separates names in the query and may be part of one: such a name is picked out here.
    const names = [...this.#channels];
    const query: Record<string, string> =
      names.length === 0 || names.some((name) => name.includes(",")) ? {} : { channels: names.join(",") };
    const response = await request(
      target,
      { method: "GET", path: `/apps/${target.appId}/tap`, query },
      this.#stop,
    );
    if (response.ok) return response;
    if (response.status >= 500) throw new NoAnswer((await refusalOf(response)).message);
    throw await refusalOf(response);
  }

  /** Resolves with the reason why the stream ended. */
  async #print(response: Response): Promise<string> {
    const reader = response.body?.getReader();
    if (reader === undefined) return "no stream";
    const parser = new EventStreamParser();
    const decoder = new TextDecoder();
    let silence: Timer | undefined;
    try {
      for (;;) {
        const silent = Promise.withResolvers<"silent">();
        silence = setTimeout(() => silent.resolve("silent"), this.#times.silenceMs);
        const read = await Promise.race([reader.read(), silent.promise]);
        clearTimeout(silence);
        if (read === "silent") return "no heartbeat";
        if (read.value === undefined) return "the server ended it";
        for (const data of parser.feed(decoder.decode(read.value, { stream: true }))) this.#show(data);
      }
    } catch (error) {
      return error instanceof Error && "code" in error ? String(error.code) : String(error);
    } finally {
      clearTimeout(silence);
      reader.cancel().catch(() => undefined); // it is gone either way
    }
  }

  async #reconnect(): Promise<[Target, Response] | undefined> {
    for (let waitMs = this.#times.firstWaitMs; ; waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)) {
      await Bun.sleep(waitMs);
      if (this.#stop.aborted) return undefined;
      try {
        const target = await this.#target();
        return [target, await this.#open(target)];
      } catch (error) {
        if (this.#stop.aborted) return undefined;
        if (!(error instanceof NoAnswer)) throw error;
      }
    }
  }

  #show(data: string): void {
    const event = parseEvent(data);
    if (event === undefined || (this.#channels.size > 0 && !this.#channels.has(event.channel))) return;
    if (this.#loaded.own.json === true) this.#terminal.out(data);
    else {
      const columns = [timeOf(event.receivedMs), event.channel, event.name, event.data];
      this.#terminal.out(columns.map(printable).join("  "));
    }
  }
}

interface TapEvent {
  readonly channel: string;
  readonly name: string;
  readonly data: string;
  readonly receivedMs: number;
}

function parseEvent(text: string): TapEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // not of this server
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { channel, event, data, received_ms } = value as Readonly<Record<string, unknown>>; // each is checked below
  if (typeof channel !== "string" || typeof event !== "string" || typeof received_ms !== "number")
    return undefined;
  return {
    channel,
    name: event,
    data: typeof data === "string" ? data : JSON.stringify(data),
    receivedMs: received_ms,
  };
}

/** The clock on the wall, with milliseconds. */
function timeOf(unixMs: number): string {
  const date = new Date(unixMs);
  const two = (part: number) => String(part).padStart(2, "0");
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}
