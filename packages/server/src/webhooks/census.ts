import type { Lane } from "./lane.ts";
import { giveUpOldest } from "./overflow.ts";
import { breathe, type LaneHost } from "./parts.ts";

const RELIEF_GAP_MS = 50; // ours: how often it is seen to that not too much waits
const BUSY_MS = 1_000; // ours: until it is tried again where all lanes had a request under way
const UNREADABLE_MS = 1_000; // ours: until the outbox is asked again

const MUCH_LESS = 0.9; // ours: it is said again when it comes back from there

interface CountedHost extends LaneHost {
  readonly lanes: readonly Lane[];
  /** Its lanes serve it as it is now. */
  readonly isReady: boolean;
}

/** Knows how much waits for an endpoint, and sees to it that this is not too much. */
export class Census {
  readonly #host: CountedHost;
  #isCounting = false;
  #isRelieving = false;
  /** It was said that too much waits. */
  #isTold = false;

  constructor(host: CountedHost) {
    this.#host = host;
  }

  /** Finds out how much waits, a little at a time, where that is not known. */
  count(): void {
    if (this.#isCounting || this.#uncounted === undefined) return;
    this.#isCounting = true;
    this.#countAll()
      .catch((problem) => {
        this.#host.failed(problem);
        return breathe(this.#host.parts.later, UNREADABLE_MS);
      })
      .finally(() => {
        this.#isCounting = false;
        this.count();
        this.relieve();
      });
  }

  /** Gives up the oldest of what waits, where too much does. */
  relieve(): void {
    if (this.#waiting < this.#host.parts.settings.maxWaiting * MUCH_LESS) this.#isTold = false;
    this.#relieveIn(RELIEF_GAP_MS);
  }

  #relieveIn(ms: number): void {
    if (this.#isRelieving || this.#excess <= 0) return;
    this.#isRelieving = true;
    this.#host.parts.later(ms, () => {
      this.#relieveAll()
        .catch((problem) => this.#host.failed(problem))
        .finally(() => {
          this.#isRelieving = false;
          if (this.#host.isReady) this.#relieveIn(BUSY_MS);
        });
    });
  }

  get #uncounted(): Lane | undefined {
    return this.#host.isReady ? this.#host.lanes.find(({ backlog }) => !backlog.isCounted) : undefined;
  }

  get #waiting(): number {
    return this.#host.lanes.reduce((sum, lane) => sum + lane.backlog.count, 0);
  }

  get #excess(): number {
    return this.#waiting - this.#host.parts.settings.maxWaiting;
  }

  async #countAll(): Promise<void> {
    for (let lane = this.#uncounted; lane !== undefined; lane = this.#uncounted) {
      await lane.backlog.countOn();
      await breathe(this.#host.parts.later);
    }
  }

  async #relieveAll(): Promise<void> {
    this.#tell();
    while (this.#excess > 0 && this.#host.isReady) {
      if (!(await giveUpOldest(this.#host, this.#host.lanes, this.#excess))) break;
      await breathe(this.#host.parts.later);
    }
  }

  /** Once, until much less waits again. */
  #tell(): void {
    const { settings, log } = this.#host.parts;
    const wasTold = this.#isTold;
    this.#isTold = true;
    if (wasTold) return;
    log.warn(
      { app: this.#host.app.id, endpoint: this.#host.endpoint.id, limit: settings.maxWaiting },
      "too many webhooks wait: the oldest are given up, states collapse to the newest and others become dead letters",
    );
  }
}
