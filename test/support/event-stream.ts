/** Server-Sent Events, as a reader that is not a browser reads them. */
export interface StreamEvent {
  /** `message` where the stream gives none. */
  readonly name: string;
  /** Of this event itself. */
  readonly id: string | undefined;
  /** What the JSON of its data says. */
  readonly data: unknown;
}

/** Ends where the stream ends. @throws where it breaks */
export async function* readEventStream(response: Response): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let pending = "";
  for await (const bytes of response.body ?? []) {
    pending += decoder.decode(bytes, { stream: true });
    for (let end = pending.indexOf("\n\n"); end >= 0; end = pending.indexOf("\n\n")) {
      const event = parseEvent(pending.slice(0, end));
      pending = pending.slice(end + 2);
      if (event !== undefined) yield event;
    }
  }
}

/** Undefined for a comment. */
function parseEvent(text: string): StreamEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2));
  }
  const data = fields.get("data");
  if (data === undefined) return undefined;
  return { name: fields.get("event") ?? "message", id: fields.get("id"), data: JSON.parse(data) };
}
