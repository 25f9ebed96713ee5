import { parseChannelName } from "@earshot/protocol/channel";
import { ProtocolError } from "@earshot/protocol/errors";
import { eventStream } from "../answers.ts";
import type { Endpoint } from "./endpoint.ts";

const HEARTBEAT_MS = 15_000; // ours: well below the idle limits of common proxies
const MAX_WAITING_CHARS = 1_048_576; // ours: a reader that stopped is let go

/** GET /apps/ID/tap?channels=a,b: Server-Sent Events of what is published; looking is not subscribing. */
export const tap: Endpoint = ({ taps }, { app, query }, _segments, call) => {
  const channels = (query.get("channels") ?? "").split(",").filter((name) => name !== "");
  for (const name of channels) {
    const kind = parseChannelName(name, app.limits.maxChannelNameChars);
    if (kind instanceof ProtocolError) return kind;
  }
  call.keepOpen();
  let end: () => void = () => undefined;
  const stream = new ReadableStream<string>(
    {
      start(controller) {
        const write = (chunk: string) => {
          controller.enqueue(chunk);
          if ((controller.desiredSize ?? 0) > 0) return;
          end();
          controller.close();
        };
        const close = taps.open(app.id, channels, ({ channel, event, data, receivedMs }) =>
          write(`data: ${JSON.stringify({ channel, event, data, received_ms: receivedMs })}\n\n`),
        );
        const heartbeat = setInterval(() => write(": still here\n\n"), HEARTBEAT_MS);
        end = () => {
          clearInterval(heartbeat);
          close();
        };
        write(": listening\n\n");
      },
      cancel() {
        end();
      },
    },
    { highWaterMark: MAX_WAITING_CHARS, size: (chunk) => chunk?.length ?? 0 },
  );
  return eventStream(stream.pipeThrough(new TextEncoderStream()));
};
