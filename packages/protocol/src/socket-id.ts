/** Two decimal integers with a dot between: every official library checks exactly this. */
const SOCKET_ID = /^\d+\.\d+$/;
const PART_BELOW = 10_000_000_000; // ours: two parts of ten digits, as large as those seen from the service

export function isSocketId(text: string): boolean {
  return SOCKET_ID.test(text);
}

/** @param integer an unguessable whole number below its argument */
export function makeSocketId(integer: (below: number) => number): string {
  return `${integer(PART_BELOW)}.${integer(PART_BELOW)}`;
}
