const encoder = new TextEncoder();

/** The UTF-8 size of a text if it is over the limit, else undefined. Cheap for texts that are well within it. */
export function bytesOver(text: string, maxBytes: number): number | undefined {
  if (text.length * 3 <= maxBytes) return undefined;
  const actual = text.length > maxBytes * 4 ? text.length : encoder.encode(text).length;
  return actual > maxBytes ? actual : undefined;
}
