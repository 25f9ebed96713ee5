/** A process that plays encoders: it reports the progress of its share of the channels as a worker of such a product would. */
import type { Target } from "../load/target.ts";
import { obey } from "../obey.ts";
import { unixMs } from "../unix-clock.ts";
import { pusherFor, startGate } from "./gate-of-bench.ts";
import type { SentTick } from "./judgement.ts";
import type { EncoderOrder, EncoderReplies, EncoderReport, GateCounters, Publishing } from "./order.ts";
import { channelName, type Tick, tickSchedule } from "./tick-schedule.ts";

const EVENT = "encoding-progress";
/** What waits for the end of a run looks so often. */
const LOOK_MS = 20;

/** What is done with one tick: true where it was sent. */
type Trigger = (channel: string, data: object) => Promise<boolean>;

class Encoders {
  /** Undefined where the ticks are only counted down. */
  readonly #trigger: Trigger | undefined;
  readonly #counters: () => GateCounters | undefined;
  readonly #ticks: SentTick[] = [];
  /** The last call for each channel: a worker awaits one before it makes the next. */
  readonly #last = new Map<number, Promise<void>>();
  #under = 0;
  #left = 0;
  #latestMs = 0;
  #firstFailure: string | undefined;

  constructor(trigger: Trigger | undefined, counters: () => GateCounters | undefined) {
    this.#trigger = trigger;
    this.#counters = counters;
  }

  begin({ plan, share, startMs }: Extract<EncoderOrder, { order: "begin" }>): null {
    const own = tickSchedule(plan).filter(({ channel }) => channel % share.of === share.index);
    this.#left = own.length;
    let next = 0;
    const sendDue = () => {
      for (let tick = own[next]; tick !== undefined; tick = own[next]) {
        const waitMs = startMs + tick.atMs - unixMs();
        if (waitMs > 0) {
          setTimeout(sendDue, waitMs);
          return;
        }
        this.#latestMs = Math.max(this.#latestMs, -waitMs);
        this.#queue(tick);
        next++;
      }
    };
    sendDue();
    return null;
  }

  async finish(): Promise<EncoderReport> {
    while (this.#left > 0 || this.#under > 0) await Bun.sleep(LOOK_MS);
    return {
      ticks: this.#ticks,
      firstFailure: this.#firstFailure,
      latestMs: this.#latestMs,
      counters: this.#counters(),
    };
  }

  #queue(tick: Tick): void {
    this.#left--;
    this.#under++;
    const before = this.#last.get(tick.channel) ?? Promise.resolve();
    this.#last.set(
      tick.channel,
      before.then(() => this.#send(tick)),
    );
  }

  async #send({ channel, seq }: Tick): Promise<void> {
    const calledMs = unixMs();
    const data = progress(channel, seq);
    if (this.#trigger !== undefined) {
      let outcome: SentTick["outcome"] = "failed";
      try {
        outcome = (await this.#trigger(channelName(channel), data)) ? "sent" : "kept";
      } catch (reason) {
        this.#firstFailure ??= String(reason);
      }
      this.#ticks.push({ channel, seq, calledMs, answeredMs: unixMs(), outcome });
    }
    this.#under--;
  }
}

/** As large as such a message is: about 200 bytes. */
function progress(channel: number, seq: number): object {
  const id = `e122090f4e506ae9ee266c3e${String(channel).padStart(8, "0")}`;
  return {
    seq,
    id,
    video_id: `d891d9a45c698d587831466f${String(channel).padStart(8, "0")}`,
    progress: Math.min(100, seq),
    fps: 48.2,
    speed: 1.93,
    eta_ms: Math.max(0, 100_000 - seq * 1_000),
    at: new Date().toISOString(),
  };
}

async function encoders(target: Target, publishing: Publishing): Promise<Encoders> {
  const pusher = pusherFor(target);
  if (publishing.by === "gate") {
    const gate = await startGate(pusher, publishing.parts);
    return new Encoders(
      (channel, data) => gate.trigger(channel, EVENT, data),
      () => gate.counters,
    );
  }
  if (publishing.by === "nothing") return new Encoders(undefined, () => undefined);
  const trigger: Trigger = async (channel, data) => {
    await pusher.trigger(channel, EVENT, data);
    return true;
  };
  return new Encoders(trigger, () => undefined);
}

let playing: Encoders | undefined;

obey(async (order: EncoderOrder): Promise<EncoderReplies[EncoderOrder["order"]]> => {
  if (order.order === "set up") {
    playing = await encoders(order.target, order.publishing);
    return null;
  }
  if (playing === undefined) throw new Error(`the order "${order.order}" came before "set up"`);
  return order.order === "begin" ? playing.begin(order) : await playing.finish();
});
