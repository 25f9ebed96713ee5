import { ProtocolError, protocolError } from "@earshot/protocol/errors";
import { Query } from "@earshot/protocol/query";
import type { AppTally, Tallies } from "#core/tally";
import type { Log } from "#observe/log";
import { refusal } from "../answers.ts";
import type { Authenticator } from "./authenticate.ts";
import { readBody } from "./body.ts";
import type { ApiParts, Call } from "./endpoint.ts";
import { type ApiPath, matchRoute } from "./routes.ts";

/** A request for the API, as the router found it. */
export interface ApiCall extends ApiPath, Call {
  /** As requested. */
  readonly path: string;
  readonly rawQuery: string;
  /** The path without a configured prefix, where it has one. */
  readonly pathWithoutPrefix: string | undefined;
}

const NO_BODY = new Uint8Array();

/** The HTTP API: route, authenticate, act, count. Nothing throws out of it. */
export class Api {
  readonly #parts: ApiParts;
  readonly #authenticator: Authenticator;
  readonly #tallies: Tallies;
  readonly #maxBodyBytes: number;
  readonly #log: Log;

  constructor(
    parts: ApiParts & { authenticator: Authenticator; tallies: Tallies; maxBodyBytes: number; log: Log },
  ) {
    this.#parts = parts;
    this.#authenticator = parts.authenticator;
    this.#tallies = parts.tallies;
    this.#maxBodyBytes = parts.maxBodyBytes;
    this.#log = parts.log;
  }

  async answer(call: ApiCall): Promise<Response> {
    const { request, path } = call;
    const { method } = request;
    const { appId, segments } = call;
    const match = matchRoute(method, segments);
    if (match.found === "nothing") return refusal(protocolError("apiPathUnknown", { path }));
    if (match.found === "path")
      return refusal(protocolError("apiMethodWrong", { method, path, allowed: match.allowed }));
    const { name, endpoint } = match.route;
    try {
      const query = new Query(call.rawQuery);
      const unproven = { appId, method, path, query, pathWithoutPrefix: call.pathWithoutPrefix };
      const app = this.#authenticator.verifySender(unproven);
      if (app instanceof ProtocolError) return this.#refuse(this.#tallyOf(appId, app), name, app);
      const tally = this.#tallies.of(app.id);
      const body = method === "GET" ? NO_BODY : await readBody(request, this.#maxBodyBytes);
      if (body instanceof ProtocolError) return this.#refuse(tally, name, body);
      const authentic = this.#authenticator.verifyBody(app, query, body);
      if (authentic instanceof ProtocolError) return this.#refuse(tally, name, authentic);
      const answer = endpoint(this.#parts, authentic, match.variables, call);
      const done = answer instanceof Promise ? await answer : answer;
      if (done instanceof ProtocolError) return this.#refuse(tally, name, done);
      tally.requested(name, done.status);
      return done;
    } catch (problem) {
      this.#log.error({ app: appId, endpoint: name, problem: String(problem) }, "an API request failed");
      return refusal(protocolError("apiUnavailable", { problem: "the server's log says why" }));
    }
  }

  /** Ids that belong to nobody are counted together, so that strangers cannot fill the metrics. */
  #tallyOf(appId: string | undefined, failure: ProtocolError): AppTally {
    return this.#tallies.of(failure.reason === "apiAppUnknown" ? "" : (appId ?? ""));
  }

  #refuse(tally: AppTally, endpoint: string, failure: ProtocolError): Response {
    tally.refused(failure.reason);
    tally.requested(endpoint, failure.status);
    return refusal(failure);
  }
}
