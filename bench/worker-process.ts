import { join } from "node:path";
import { WITH_ALL_FILES } from "./server-process.ts";
import { cpuSeconds } from "./usage.ts";

/** A process "behind" runs when nobody else wants the processor. */
export type Priority = "usual" | "behind";

/** What a worker answers to an order: `obey.ts` is the other end. */
export type Reply = { readonly reply: unknown } | { readonly failure: string };

const DEATH: Reply = { failure: "the process died" };
const NICE: Readonly<Record<Priority, readonly string[]>> = { usual: [], behind: ["nice", "-n", "19"] };

/**
 * A part of the bench as a process of its own, so that its work is on nobody's account but its own. `Order` is the union of what it can
 * be asked, and `Replies` what it answers to each.
 */
export class WorkerProcess<
  Order extends { readonly order: string },
  Replies extends Readonly<Record<Order["order"], unknown>>,
> {
  readonly #file: string;
  readonly #child: Bun.Subprocess;
  #answer: ((reply: Reply) => void) | undefined;
  #hasDied = false;

  /** @param file the program, counted from the folder of the bench */
  constructor(file: string, priority: Priority = "usual") {
    this.#file = file;
    this.#child = Bun.spawn(
      [...WITH_ALL_FILES, ...NICE[priority], process.execPath, join(import.meta.dir, file)],
      {
        stdin: "ignore",
        stdout: "inherit",
        stderr: "inherit",
        ipc: (reply: Reply) => this.#hear(reply),
        onExit: () => {
          this.#hasDied = true;
          this.#hear(DEATH);
        },
      },
    );
  }

  /** One order at a time. */
  async ask<Name extends Order["order"]>(order: Extract<Order, { order: Name }>): Promise<Replies[Name]> {
    if (this.#answer !== undefined) throw new Error(`${this.#file} is busy and cannot ${order.order}`);
    const reply = await new Promise<Reply>((resolve) => {
      this.#answer = resolve;
      if (this.#hasDied) this.#hear(DEATH);
      else this.#child.send(order);
    });
    if ("failure" in reply) throw new Error(`${this.#file}, ${order.order}: ${reply.failure}`);
    return reply.reply as Replies[Name]; // the file of the orders ties each reply to its order
  }

  cpuSeconds(): number {
    return cpuSeconds(this.#child.pid);
  }

  /** Ends all its connections with it. */
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
