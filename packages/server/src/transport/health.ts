import { text } from "./answers.ts";

/** Whether the process should get traffic, and if not, why. */
export type Readiness = () => { readonly isReady: true } | { readonly isReady: false; readonly why: string };

/** Alive: the process answers at all. */
export function healthz(): Response {
  return text(200, "ok\n");
}

/** Ready: apps are loaded, the store answers, no shutdown is under way. */
export function readyz(readiness: Readiness): Response {
  const state = readiness();
  return state.isReady ? text(200, "ready\n") : text(503, `not ready: ${state.why}\n`);
}
