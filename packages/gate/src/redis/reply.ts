import { GateError } from "../gate-error.ts";

/** Readers of what scripts return. Clients give numbers or texts, whichever they are set to. */
export function listOf(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  throw unreadable(reply);
}

export function textOf(reply: unknown): string {
  if (typeof reply === "string") return reply;
  if (typeof reply === "number" || typeof reply === "bigint") return String(reply);
  if (reply instanceof Uint8Array) return new TextDecoder().decode(reply);
  throw unreadable(reply);
}

export function numberOf(reply: unknown): number {
  const number = Number(textOf(reply));
  if (Number.isFinite(number)) return number;
  throw unreadable(reply);
}

export function textsOf(reply: unknown): string[] {
  return listOf(reply).map(textOf);
}

function unreadable(reply: unknown): GateError {
  const shown = typeof reply === "string" ? `'${reply.slice(0, 100)}'` : typeof reply;
  return new GateError("store_unavailable", `Redis answered ${shown}, which no script of the gate returns`);
}
