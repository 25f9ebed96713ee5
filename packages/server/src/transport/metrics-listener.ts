import type { Server } from "bun";
import { text } from "./answers.ts";
import type { Metrics } from "./metrics.ts";

/** A port for metrics alone, for networks where only the monitoring can reach it: no token is asked for. */
export class MetricsListener {
  readonly #server: Server<undefined>;

  /** @throws what the runtime throws: a port in use, an address that is not ours */
  constructor(metrics: Metrics, host: string, port: number) {
    this.#server = Bun.serve({
      hostname: host,
      port,
      development: false,
      reusePort: false, // left out, the runtime lets two servers share a port in silence
      fetch: (request) =>
        new URL(request.url).pathname === "/metrics"
          ? metrics.answer()
          : text(404, "Metrics are at /metrics.\n"),
    });
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }
}
