import type { Reply } from "./worker-process.ts";

/** Does what the bench orders, and answers. The process lives as long as its channel to the bench. */
export function obey<Order>(act: (order: Order) => unknown): void {
  process.on("message", (order: Order) => {
    Promise.resolve()
      .then(() => act(order))
      .then(
        (reply) => send({ reply }),
        (reason: unknown) => send({ failure: String(reason) }),
      );
  });
  process.on("disconnect", () => process.exit(0));
}

function send(reply: Reply): void {
  process.send?.(reply);
}
