import { join } from "node:path";
import type { Order, Replies, Reply } from "./load/order.ts";
import type { Target } from "./load/target.ts";
import { WITH_ALL_FILES } from "./server-process.ts";
import { cpuSeconds } from "./usage.ts";

/** A process "behind" runs when nobody else wants the processor. */
export type LoadPriority = "usual" | "behind";

const NICE: Readonly<Record<LoadPriority, readonly string[]>> = { usual: [], behind: ["nice", "-n", "19"] };

/** The client side as a process of its own, so that its work is on nobody's account but its own. */
export class LoadProcess {
  readonly #child: Bun.Subprocess;
  #answer: ((reply: Reply) => void) | undefined;

  private constructor(priority: LoadPriority) {
    this.#child = Bun.spawn(
      [...WITH_ALL_FILES, ...NICE[priority], process.execPath, join(import.meta.dir, "load/worker.ts")],
      {
        stdin: "ignore",
        stdout: "inherit",
        stderr: "inherit",
        ipc: (reply: Reply) => this.#hear(reply),
        onExit: () => this.#hear({ failure: "the load process died" }),
      },
    );
  }

  static async start(target: Target, priority: LoadPriority): Promise<LoadProcess> {
    const load = new LoadProcess(priority);
    await load.ask({ order: "target", target });
    return load;
  }

  /** One order at a time. */
  async ask<Name extends Order["order"]>(order: Extract<Order, { order: Name }>): Promise<Replies[Name]> {
    if (this.#answer !== undefined) throw new Error(`the load process is busy and cannot ${order.order}`);
    const reply = await new Promise<Reply>((resolve) => {
      this.#answer = resolve;
      this.#child.send(order);
    });
    if ("failure" in reply) throw new Error(`load process, ${order.order}: ${reply.failure}`);
    return reply.reply as Replies[Name]; // order.ts ties each reply to its order
  }

  cpuSeconds(): number {
    return cpuSeconds(this.#child.pid);
  }

  /** Ends the connections of all its clients with it. */
  async stop(): Promise<void> {
    this.#answer = undefined;
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  #hear(reply: Reply): void {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.(reply);
  }
}
