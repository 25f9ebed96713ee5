/** Takes Server-Sent Events apart, as far as our own server writes them: the data of each event, in order. */
export class EventStreamParser {
  #rest = "";
  #data: string[] = [];

  /** The data of each event that this text completes. Comments are left out. */
  feed(text: string): string[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    const events: string[] = [];
    for (const ended of lines) {
      const line = ended.endsWith("\r") ? ended.slice(0, -1) : ended;
      if (line === "" && this.#data.length > 0) {
        events.push(this.#data.join("\n"));
        this.#data = [];
      } else if (line.startsWith("data:")) {
        this.#data.push(line.slice(line.startsWith("data: ") ? 6 : 5));
      }
    }
    return events;
  }
}
