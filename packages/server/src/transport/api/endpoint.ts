import type { ProtocolError } from "@earshot/protocol/errors";
import type { Publisher } from "#core/publish";
import type { Queries } from "#core/queries";
import type { Taps } from "#core/taps";
import type { Users } from "#core/users";
import type { AuthenticRequest } from "./authenticate.ts";

/** What the endpoints may use. */
export interface ApiParts {
  readonly publisher: Publisher;
  readonly queries: Queries;
  readonly taps: Taps;
  readonly users: Users;
}

/**
 * One resource of the API: what an authentic request gets.
 *
 * @param segments the decoded variable parts of the path
 * @param keepOpen lets a long answer live past the listener's idle limit
 */
export type Endpoint = (
  parts: ApiParts,
  request: AuthenticRequest,
  segments: readonly string[],
  keepOpen: () => void,
) => Response | ProtocolError | Promise<Response | ProtocolError>;
