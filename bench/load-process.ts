import type { Order, Replies } from "./load/order.ts";
import type { Target } from "./load/target.ts";
import { type Priority, WorkerProcess } from "./worker-process.ts";

/** The client side: a crowd and a publisher. */
export type LoadProcess = WorkerProcess<Order, Replies>;

export async function startLoad(target: Target, priority: Priority): Promise<LoadProcess> {
  const load: LoadProcess = new WorkerProcess("load/worker.ts", priority);
  await load.ask({ order: "target", target });
  return load;
}
