/** Credentials of the one app that every server is started with; nothing of it outlives a run. */
export const APP = { id: "4711", key: "bench-key", secret: "bench-secret" } as const;

export type ContenderName = "earshot" | "bare" | "soketi";

/** How to start one of the servers that are compared. */
export interface Contender {
  readonly name: ContenderName;
  readonly version: () => Promise<string>;
  /** Installs or checks what the server needs, with a message that says what to do. */
  readonly prepare: () => Promise<void>;
  readonly command: (port: number, dataDir: string) => readonly string[];
  readonly env: (port: number) => Readonly<Record<string, string>>;
  /** What the server prints once it is ready. */
  readonly readyText: string;
  /** Where the server writes its process id, if not the process that was started is the server. */
  readonly pidFile: ((dataDir: string) => string) | undefined;
}
