/** The process that holds the viewers: each visit of the plan opens a page and closes it. */
import { obey } from "../obey.ts";
import type { AudienceOrder, AudienceReplies, AudienceReport } from "./order.ts";
import { Viewer } from "./viewer.ts";

const viewers: Viewer[] = [];
const timers: ReturnType<typeof setTimeout>[] = [];

function attend({ target, visits, startMs }: Extract<AudienceOrder, { order: "attend" }>): null {
  const nowMs = Date.now() - startMs;
  for (const { channel, fromMs, toMs } of visits) {
    const open = () => {
      const viewer = new Viewer(target, channel);
      viewers.push(viewer);
      timers.push(setTimeout(() => viewer.leave(), toMs - fromMs));
    };
    timers.push(setTimeout(open, Math.max(0, fromMs - nowMs)));
  }
  return null;
}

function watched(): number[] {
  return [...new Set(viewers.filter((viewer) => viewer.isWatching).map((viewer) => viewer.channel))];
}

function finish(): AudienceReport {
  for (const timer of timers) clearTimeout(timer);
  for (const viewer of viewers) viewer.leave();
  const sessions = viewers.map((viewer) => viewer.session()).filter((session) => session !== undefined);
  const failures = viewers.map(({ failure }) => failure).filter((failure) => failure !== undefined);
  return {
    sessions,
    failed: viewers.length - sessions.length + failures.length,
    firstFailure: failures[0],
  };
}

obey((order: AudienceOrder): AudienceReplies[AudienceOrder["order"]] => {
  switch (order.order) {
    case "attend":
      return attend(order);
    case "watched":
      return watched();
    case "finish":
      return finish();
  }
});
