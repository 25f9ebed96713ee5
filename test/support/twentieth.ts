/** The times of occupancy and webhooks at about a twentieth of their defaults, for tests that wait for them. */
export const TWENTIETH = {
  "occupancy-vacated-delay-ms": 150,
  "occupancy-settle-ms": 500,
  "occupancy-planned-settle-ms": 500,
  "webhooks-retry-base-ms": 50,
  "webhooks-retry-max-ms": 400,
  "webhooks-timeout-ms": 500,
  "webhooks-poison-ms": 15_000,
} as const;

/** As flags of `earshot serve`, some of them with other values. */
export function twentieth(others: Readonly<Record<string, string | number>> = {}): string[] {
  const flags = { ...TWENTIETH, ...others };
  return Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
}
