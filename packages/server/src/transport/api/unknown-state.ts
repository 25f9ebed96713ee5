import { type ProtocolError, protocolError } from "@earshot/protocol/errors";

/** What is announced cannot be told completely now: a caller must not take a part for the whole. */
export function unknownState(problem: unknown): ProtocolError {
  return protocolError("apiUnavailable", {
    problem: problem instanceof Error ? problem.message : String(problem),
  });
}
