/** A channel, or a member of it. Channel names hold no slash. */
export function subjectOf(channel: string, userId?: string): string {
  return userId === undefined ? channel : `${channel}/${userId}`;
}
