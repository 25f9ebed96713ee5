import { protocolError, ProtocolError } from "@earshot/protocol/errors";
import { Query } from "@earshot/protocol/query";
import type { AppTally, Tallies } from "#core/tally";
import type { Log } from "#observe/log";
import { refusal } from "../answers.ts";
import { decodeSegment } from "../request-path.ts";
import type { Authenticator } from "./authenticate.ts";
import { readBody } from "./body.ts";
import type { ApiParts } from "./endpoint.ts";
import { matchRoute } from "./routes.ts";

/** A request for /apps/ID/..., as the router found it. */
export interface ApiCall {
  readonly request: Request;
  /** As requested. */
  readonly path: string;
  readonly rawQuery: string;
  /** The path without a configured prefix, where it has one. */
  readonly pathWithoutPrefix?: string;
  /** Lets a long answer live past the listener's idle limit. */
  readonly keepOpen: () => void;
}

/** The HTTP API: route, authenticate, act, count. Nothing throws out of it. */
export class Api {
  readonly #parts: ApiParts;
  readonly #authenticator: Authenticator;
  readonly #tallies: Tallies;
  readonly #maxBodyBytes: number;
  readonly #log: Log;

  constructor(parts: ApiParts & { authenticator: Authenticator; tallies: Tallies; maxBodyBytes: number; log: Log }) {
    this.#parts = parts;
    this.#authenticator = parts.authenticator;
    this.#tallies = parts.tallies;
    this.#maxBodyBytes = parts.maxBodyBytes;
    this.#log = parts.log;
  }

  async answer(call: ApiCall): Promise<Response> {
    const [, , rawAppId = "", ...segments] = (call.pathWithoutPrefix ?? call.path).split("/");
    const appId = decodeSegment(rawAppId) ?? rawAppId;
    const match = matchRoute(call.request.method, segments);
    if (match.found === "nothing") return refusal(protocolError("apiPathUnknown", { path: call.path }));
    if (match.found === "path") {
      const values = { method: call.request.method, path: call.path, allowed: match.allowed };
      return refusal(protocolError("apiMethodWrong", values));
    }
    try {
      const variables = match.variables.map((variable) => decodeSegment(variable) ?? variable);
      const unproven = {
        appId,
        method: call.request.method,
        path: call.path,
        ...(call.pathWithoutPrefix === undefined ? {} : { pathWithoutPrefix: call.pathWithoutPrefix }),
        query: new Query(call.rawQuery),
        readBody: () => readBody(call.request, this.#maxBodyBytes),
      };
      const request = await this.#authenticator.authenticate(unproven);
      if (request instanceof ProtocolError) return this.#refuse(this.#tallyOf(appId, request), match.route.name, request);
      const tally = this.#tallies.of(request.app.id);
      const answer = await match.route.endpoint(this.#parts, request, variables, call.keepOpen);
      if (answer instanceof ProtocolError) return this.#refuse(tally, match.route.name, answer);
      tally.requested(match.route.name, answer.status);
      return answer;
    } catch (problem) {
      this.#log.error({ app: appId, endpoint: match.route.name, problem: String(problem) }, "an API request failed");
      return refusal(protocolError("apiUnavailable", { problem: "the server's log says why" }));
    }
  }

  /** Ids that belong to nobody are counted together, so that strangers cannot fill the metrics. */
  #tallyOf(appId: string, failure: ProtocolError): AppTally {
    return this.#tallies.of(failure.reason === "apiAppUnknown" ? "" : appId);
  }

  #refuse(tally: AppTally, endpoint: string, failure: ProtocolError): Response {
    tally.refused(failure.reason);
    tally.requested(endpoint, failure.status);
    return refusal(failure);
  }
}
