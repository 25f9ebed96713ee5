import type { ProtocolError } from "@earshot/protocol/errors";
import type { AppStore, Clock, Outbox, WebhookStatus } from "#core/ports";
import type { Publisher } from "#core/publish";
import type { Queries } from "#core/queries";
import type { Taps } from "#core/taps";
import type { Users } from "#core/users";
import type { GateReports } from "../gate-reports.ts";
import type { AuthenticRequest } from "./authenticate.ts";

/** What the endpoints may use. */
export interface ApiParts {
  readonly publisher: Publisher;
  readonly queries: Queries;
  readonly taps: Taps;
  readonly users: Users;
  readonly apps: AppStore;
  readonly outbox: Outbox;
  readonly webhookStatus: WebhookStatus;
  readonly gates: GateReports;
  readonly clock: Clock;
  /** Returns the way out. */
  readonly later: (ms: number, act: () => void) => () => void;
}

/** What an endpoint may need beyond what is signed. */
export interface Call {
  readonly request: Request;
  /** Lets a long answer live past the listener's idle limit. */
  readonly keepOpen: () => void;
}

/**
 * One resource of the API: what an authentic request gets.
 *
 * @param segments the decoded variable parts of the path
 */
export type Endpoint = (
  parts: ApiParts,
  request: AuthenticRequest,
  segments: readonly string[],
  call: Call,
) => Response | ProtocolError | Promise<Response | ProtocolError>;
