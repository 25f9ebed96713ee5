import type { Target } from "./load/target.ts";

/** What `earshot serve --metrics-token` is told by the bench. */
export const METRICS_TOKEN = "bench-metrics";

/** Events that the server has published for the HTTP API so far, one a channel. */
export async function publishedSoFar(target: Target): Promise<number> {
  const answer = await fetch(`http://${target.hosts[0]}:${target.port}/metrics`, {
    headers: { Authorization: `Bearer ${METRICS_TOKEN}` },
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`the server's metrics: ${answer.status} ${text}`);
  return Number(/^earshot_api_messages_total\{[^}]*\} (\S+)$/m.exec(text)?.[1] ?? 0);
}
