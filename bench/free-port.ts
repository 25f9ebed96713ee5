/** Below the ports that Linux gives to outgoing connections (32768 and up), so that no client of the bench sits on one. */
const FIRST = 20_000;
const LAST = 29_999;
const given = new Set<number>();

/** A port that is free now and was not given before: connections of an earlier server may still be winding down on theirs. */
export function freePort(): number {
  for (let tries = 0; tries < 200; tries++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    if (!given.has(port) && isFree(port)) {
      given.add(port);
      return port;
    }
  }
  throw new Error(`no free port between ${FIRST} and ${LAST}`);
}

function isFree(port: number): boolean {
  try {
    Bun.listen({ hostname: "127.0.0.1", port, socket: { data: () => undefined } }).stop(true);
    return true;
  } catch {
    return false; // taken: the next one
  }
}
