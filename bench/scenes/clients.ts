import type { GatherReport } from "../load/crowd.ts";
import type { LoadProcess } from "../load-process.ts";

/** Clients that each connect and subscribe, signed, to a private channel of their own. */
export async function gatherPrivate(
  load: LoadProcess,
  count: number,
  concurrency: number,
): Promise<GatherReport> {
  const report = await load.ask({
    order: "gather",
    count,
    channel: "private-bench-",
    ownChannels: true,
    concurrency,
    inbox: "counting",
    samples: 0,
  });
  if (report.listening === 0) throw new Error(`no client could subscribe: ${report.firstFailure}`);
  return report;
}
