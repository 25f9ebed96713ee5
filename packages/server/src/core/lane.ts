/** Events of one channel share a lane, inside which they stay in order; lanes do not wait for each other. */
export const LANES = 16; // ours: one request in flight each

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a: the same on every node and after every restart. */
export function laneOf(channel: string): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < channel.length; i++) hash = Math.imul(hash ^ channel.charCodeAt(i), FNV_PRIME);
  return (hash >>> 0) % LANES;
}
