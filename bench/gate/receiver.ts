/** The process that receives the webhooks for the gate's set, well or badly as the bench wants it. */
import type { Gate } from "../../packages/gate/src/index.ts";
import { obey } from "../obey.ts";
import { pusherFor, startGate } from "./gate-of-bench.ts";
import type { ReceiverOrder, ReceiverReplies, ReceiverReport, Treatment } from "./order.ts";

/** A webhook that is overtaken waits for the next one, but not for longer. */
const MAX_HELD_MS = 300;
const MAX_DOUBLED_AFTER_MS = 1_000;

type Receive = (request: Request) => Promise<Response>;

class Receiver {
  readonly #report = { requests: 0, events: 0, bytes: 0, doubled: 0, swapped: 0, refusedLate: 0 };
  #gate: Gate | undefined;
  #receive: Receive = () => Promise.resolve(new Response(null, { status: 503 }));
  #treatment: Treatment = "takes";
  #server: Bun.Server<undefined> | undefined;
  #port = 0;
  /** Applies a webhook that was answered already. */
  #held: (() => void) | undefined;

  listen(): ReceiverReplies["listen"] {
    this.#open();
    return { url: `http://127.0.0.1:${this.#port}/pusher` };
  }

  feed(gate: Gate): null {
    this.#gate = gate;
    this.#receive = gate.receiver();
    return null;
  }

  async treat(as: Treatment): Promise<null> {
    this.#treatment = as;
    if (as === "is down") {
      await this.#server?.stop(true);
      this.#server = undefined;
    } else if (this.#server === undefined) this.#open();
    return null;
  }

  report(): ReceiverReport {
    return { ...this.#report, counters: this.#gate?.counters };
  }

  #open(): void {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: this.#port,
      idleTimeout: 0,
      fetch: (request) => this.#take(request),
    });
    this.#port = this.#server.port ?? 0;
  }

  async #take(request: Request): Promise<Response> {
    const body = await request.text();
    this.#report.requests++;
    this.#report.bytes += body.length;
    this.#report.events += body.split('"name":').length - 1;
    const again = () => new Request(request.url, { method: "POST", headers: request.headers, body });
    if (this.#treatment !== "doubles and swaps") return await this.#receive(again());
    setTimeout(() => this.#apply(again()), Math.random() * MAX_DOUBLED_AFTER_MS);
    this.#report.doubled++;
    const release = this.#held;
    if (release !== undefined) {
      const answer = await this.#receive(again());
      release();
      return answer;
    }
    this.#hold(again());
    return new Response("ok");
  }

  #hold(request: Request): void {
    const timer = setTimeout(() => release(), MAX_HELD_MS);
    const release = () => {
      clearTimeout(timer);
      this.#held = undefined;
      this.#apply(request);
    };
    this.#held = () => {
      this.#report.swapped++;
      release();
    };
  }

  /** It was answered before, so the server will not send it again. */
  #apply(request: Request): void {
    void this.#receive(request).then(async (answer) => {
      if (answer.ok) return;
      this.#report.refusedLate++;
      console.log(`a webhook that had been answered was refused: ${answer.status} ${await answer.text()}`);
    });
  }
}

const receiver = new Receiver();

obey(async (order: ReceiverOrder): Promise<ReceiverReplies[ReceiverOrder["order"]]> => {
  switch (order.order) {
    case "listen":
      return receiver.listen();
    case "feed":
      return receiver.feed(await startGate(pusherFor(order.target), order.parts));
    case "treat":
      return await receiver.treat(order.as);
    case "report":
      return receiver.report();
  }
});
