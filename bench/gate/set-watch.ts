import { parseSetChange, type SetChange } from "./set-change.ts";

/** Notes each change of the set at the moment at which Redis makes it. It makes Redis busier, so it runs outside of what is measured. */
export class SetWatch {
  readonly changes: SetChange[] = [];
  readonly #key: string;
  #socket: Bun.Socket | undefined;
  #rest = "";

  private constructor(key: string) {
    this.#key = key;
  }

  static async start(port: number, key: string): Promise<SetWatch> {
    const watch = new SetWatch(key);
    watch.#socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => void socket.write("MONITOR\r\n"),
        data: (_, bytes) => watch.#hear(bytes.toString("latin1")),
      },
    });
    return watch;
  }

  stop(): void {
    this.#socket?.terminate();
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split("\r\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.changes.push(...parseSetChange(line, this.#key));
  }
}
