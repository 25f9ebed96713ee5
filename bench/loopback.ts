import { readFileSync } from "node:fs";

/** Bytes that all programs of this machine have sent each other so far, heads of packets included. */
export function loopbackBytes(): number {
  return parseLoopbackBytes(readFileSync("/proc/net/dev", "utf8"));
}

/** @param dev /proc/net/dev: the received bytes are the first number behind the name */
export function parseLoopbackBytes(dev: string): number {
  const bytes = Number(/^ *lo: *(\d+) /m.exec(dev)?.[1]);
  if (Number.isNaN(bytes)) throw new Error("/proc/net/dev has no line for lo");
  return bytes;
}
