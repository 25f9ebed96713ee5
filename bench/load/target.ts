/** The server under load and the app that it serves. */
export interface Target {
  /** Addresses of the one server: each has its own set of outgoing ports, and the kernel finds one faster among few that are taken. */
  readonly hosts: readonly [string, ...string[]];
  readonly port: number;
  readonly appId: string;
  readonly key: string;
  readonly secret: string;
}
