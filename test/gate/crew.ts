/** The worker processes of a test, and what they have told. */
import type { Counters } from "../../packages/gate/src/index.ts";
import type { Earshot } from "../support/earshot.ts";
import { withoutSettings } from "../support/environment.ts";
import { until } from "../support/until.ts";
import type { Call } from "./judgement.ts";
import type { WorkerNews, WorkerOrder, WorkerPlan } from "./worker-order.ts";
import { CHANNELS, PACE_MS, WORKERS } from "./world.ts";

const PROGRAM = new URL("./worker.ts", import.meta.url).pathname;
const START_MS = 20_000;

export interface Complaint {
  readonly worker: number;
  readonly code: string;
  readonly why: string;
  readonly atMs: number;
}

/** Four workers that do the same. */
export function planWorkers(
  { app, host, port }: Earshot,
  plan: Pick<WorkerPlan, "feed" | "seed" | "lagWindowMs">,
): WorkerPlan[] {
  const workers = Array.from({ length: WORKERS }, (_, index) => index + 1);
  return workers.map((worker) => ({ ...plan, worker, app, host, port, channels: CHANNELS, paceMs: PACE_MS }));
}

export class Crew {
  /** Those that did not fail, in the order in which they ended. */
  readonly calls: Call[] = [];
  /** Calls that failed and were repeated. */
  readonly failures: string[] = [];
  readonly complaints: Complaint[] = [];
  readonly #members: Member[];
  readonly #lagWindowMs: number;

  constructor(plans: readonly WorkerPlan[]) {
    this.#lagWindowMs = Math.max(...plans.map(({ lagWindowMs }) => lagWindowMs));
    this.#members = plans.map((plan) => new Member(plan, (news) => this.#hear(plan.worker, news)));
  }

  async working(): Promise<void> {
    await until("the workers work", () => this.#members.every(({ state }) => state === "working"), START_MS);
  }

  get hasMissedStore(): boolean {
    return this.complaints.some(({ code }) => code === "store_unavailable");
  }

  /** Its worker found the store away about then: what it called next did not wait for what waits in there. */
  mayOvertake({ worker, calledMs }: Call): boolean {
    return this.complaints.some(
      (each) =>
        each.code === "store_unavailable" &&
        each.worker === worker &&
        Math.abs(each.atMs - calledMs) < 2 * this.#lagWindowMs,
    );
  }

  /** SIGKILL. */
  async kill(worker: number): Promise<void> {
    await this.#members.find(({ plan }) => plan.worker === worker)?.kill();
  }

  /** Everybody finishes what is under way. Their gates live on. Returns what each has counted. */
  async rest(): Promise<readonly Counters[]> {
    for (const member of this.#members) member.order({ do: "rest" });
    await until("the workers rest", () => this.#alive.every(({ counters }) => counters !== undefined));
    return this.#alive.flatMap(({ counters }) => counters ?? []);
  }

  async close(): Promise<void> {
    for (const member of this.#members) member.order({ do: "close" });
    await until("the workers have closed", () => this.#alive.every(({ state }) => state === "closed"));
    await this.end();
  }

  async end(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.kill()));
  }

  get #alive(): Member[] {
    return this.#members.filter(({ state }) => state !== "dead");
  }

  #hear(worker: number, news: WorkerNews): void {
    if (news.told === "call") this.calls.push(news.call);
    else if (news.told === "failure") this.failures.push(`worker ${worker}: ${news.why}`);
    else if (news.told === "complaint") {
      const { code, why } = news;
      this.complaints.push({ worker, code, why, atMs: Date.now() });
    }
  }
}

class Member {
  readonly plan: WorkerPlan;
  state: "starting" | "working" | "closed" | "dead" = "starting";
  /** Known once it rests. */
  counters: Counters | undefined;
  readonly #process: Bun.Subprocess;

  constructor(plan: WorkerPlan, hear: (news: WorkerNews) => void) {
    this.plan = plan;
    this.#process = Bun.spawn([process.execPath, PROGRAM], {
      env: withoutSettings(),
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
      ipc: (news: WorkerNews) => {
        if (news.told === "working" || news.told === "closed") this.state = news.told;
        if (news.told === "resting") this.counters = news.counters;
        hear(news);
      },
      onExit: () => {
        this.state = "dead";
      },
    });
    this.order({ do: "work", plan });
  }

  order(order: WorkerOrder): void {
    if (this.state !== "dead") this.#process.send(order);
  }

  async kill(): Promise<void> {
    this.state = "dead";
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }
}
