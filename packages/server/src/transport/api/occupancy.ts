import type { ProtocolError } from "@earshot/protocol/errors";
import { parseEventId } from "@earshot/protocol/occupancy";
import { attempt } from "#core/answer";
import { activeKey } from "#core/app";
import { eventStream } from "../answers.ts";
import type { Endpoint } from "./endpoint.ts";
import { OccupancyStream } from "./occupancy-stream.ts";
import { unknownState } from "./unknown-state.ts";

/** GET /apps/ID/occupancy: Server-Sent Events of which channels are announced occupied, and of each change. */
export const occupancy: Endpoint = ({ outbox, apps, later }, { app, query }, _segments, call) => {
  const prefix = query.get("filter_by_prefix") ?? "";
  // The header is the newer one: a client that reconnects on its own repeats its URL.
  const lastId = parseEventId(call.request.headers.get("last-event-id") ?? query.get("last_event_id"));
  const key = query.get("auth_key") ?? "";
  const stream = new OccupancyStream({ outbox, appId: app.id, prefix, later });
  stream.onEnd(
    apps.onChange((appId, changed) => {
      if (appId !== app.id) return;
      const mayLookOn = changed?.enabled === true && activeKey(changed, key) !== undefined;
      if (!mayLookOn) stream.close();
    }),
  );
  return attempt<void, Response | ProtocolError>(
    () => stream.open(lastId),
    () => {
      call.keepOpen();
      return eventStream(stream.body);
    },
    unknownState,
  );
};
