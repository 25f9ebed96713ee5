/** The process that receives the webhooks of two endpoints, verifies each request and keeps what it was told. */
import { parseWebhook, UnreadableWebhook } from "@earshot/protocol/webhook";
import { Histogram } from "../load/histogram.ts";
import { Signature } from "../load/signature.ts";
import { obey } from "../obey.ts";
import { EventLog } from "./event-log.ts";
import type { LogReport, ReceiverOrder, ReceiverReplies } from "./order.ts";

const logs = [new EventLog(), new EventLog()] as const;
const PATHS = ["/one", "/two"] as const;
let lags = newHistogram();
let requests = 0;
let badSignatures = 0;

function listen({ key, secret }: Extract<ReceiverOrder, { order: "listen" }>): ReceiverReplies["listen"] {
  const signature = new Signature(secret);
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: async (request) => {
      const log = logs[PATHS.findIndex((path) => request.url.endsWith(path))];
      const body = await request.text();
      const isSigned =
        request.headers.get("x-pusher-key") === key &&
        request.headers.get("x-pusher-signature") === signature.of(body);
      const webhook = parseWebhook(body);
      if (log === undefined || !isSigned || webhook instanceof UnreadableWebhook) {
        badSignatures++;
        return new Response(null, { status: 401 });
      }
      requests++;
      const nowMs = Date.now();
      for (const event of webhook.events) {
        log.add(event);
        if (event.name === "channel_occupied" && event.occurred_ms !== undefined) {
          lags.add(Math.max(0, nowMs - event.occurred_ms));
        }
      }
      return new Response("ok");
    },
  });
  return { urls: PATHS.map((path) => `http://127.0.0.1:${server.port}${path}`) };
}

function beginTiming(): null {
  lags = newHistogram();
  return null;
}

function report({ occupied, vacated }: Extract<ReceiverOrder, { order: "report" }>): LogReport {
  const [one, two] = logs;
  return {
    delivered: one.distinct + two.distinct,
    missing: one.missing(occupied, vacated) + two.missing(occupied, vacated),
    repeated: one.repeated + two.repeated,
    wrong: one.wrong + two.wrong + one.differences(two),
    p50LagMs: lags.quantileMs(0.5),
    p99LagMs: lags.quantileMs(0.99),
    requests,
    badSignatures,
  };
}

function newHistogram(): Histogram {
  return new Histogram(1, 60_000);
}

obey((order: ReceiverOrder) => {
  switch (order.order) {
    case "listen":
      return listen(order);
    case "count":
      return Math.min(...logs.map((log) => log.distinct));
    case "begin timing":
      return beginTiming();
    case "report":
      return report(order);
  }
});
