import { UNKNOWN_KEY } from "./a-connecting.ts";
import type { Section } from "./check.ts";
import { FallbackSession, framesOf, linesOf, type Receive } from "./fallback-session.ts";
import { must, mustEqual, shown } from "./finding.ts";
import { needClientEvents } from "./g-client-events.ts";
import type { Exchange } from "./http.ts";

const ROLL_OVER_CHARS = 262_144; // pusher-js re-opens a stream above it
const LARGE = 10_000; // near the limit of one event
const MANY = 40; // of them are well above the mark
const STREAM_MS = 3_000; // ours
const ROLL_OVER_MS = 10_000; // ours

export const HTTP_FALLBACK: Section = {
  letter: "L",
  title: "HTTP fallback",
  checks: [
    {
      number: 109,
      what: "o comes only once in a session, and an unknown session is a new one",
      run: async (stage) => {
        const polling = await FallbackSession.create(stage);
        mustEqual(openings(await polling.poll()), 1, "the number of o in the first poll");
        await polling.send([{ event: "pusher:ping", data: {} }]);
        mustEqual(openings(await polling.poll()), 0, "the number of o in the second poll");

        const streaming = await FallbackSession.create(stage);
        const first = await streaming.stream();
        mustEqual(openings(linesOf(first.text)), 1, "the number of o in the first stream");
        const second = await streaming.receive("xhr_streaming");
        first.abort();
        await streaming.send([{ event: "pusher:ping", data: {} }]);
        await second.until(() => framesOf(second.text).length > 0, "an answer on the second stream");
        mustEqual(openings(linesOf(second.text)), 0, "the number of o in the second stream");
      },
    },
    {
      number: 110,
      what: "a stream is not ended by the server, beyond 128 KB either",
      run: async (stage) => {
        const session = await FallbackSession.create(stage);
        const stream = await session.stream();
        const channel = stage.name();
        await session.send([session.subscribeMessage(channel)]);
        await subscribed(stream);
        for (let at = 0; at < 18; at++) await stage.publish(channel, `large-${at}`, "x".repeat(LARGE));
        await stream.until(() => hasEvent(stream, "large-17"), "the last of 18 events of 10 KB");
        await Bun.sleep(STREAM_MS);
        must(!stream.isDone, `the stream was ended after ${stream.text.length} characters`);
        await stage.publish(channel, "after", "{}");
        await stream.until(() => hasEvent(stream, "after"), "an event after all these");
      },
    },
    {
      number: 111,
      what: "above 262144 characters the server waits until the stream is opened again, and loses nothing",
      limitMs: 40_000,
      run: async (stage) => {
        const session = await FallbackSession.create(stage);
        let stream = await session.stream();
        const channel = stage.name();
        await session.send([session.subscribeMessage(channel)]);
        await subscribed(stream);
        for (let at = 0; at < MANY; at++) await stage.publish(channel, `large-${at}`, "x".repeat(LARGE));
        const seen: string[] = [];
        const take = () =>
          seen.push(
            ...framesOf(stream.text)
              .map(({ event }) => event)
              .filter((event) => event.startsWith("large-")),
          );
        const isLong = () => stream.text.length > ROLL_OVER_CHARS || hasEvent(stream, `large-${MANY - 1}`);
        await stream.until(isLong, "the mark of 262144 characters", ROLL_OVER_MS);
        take();
        stream.abort();
        stream = await session.receive("xhr_streaming");
        await stream.until(
          () => hasEvent(stream, `large-${MANY - 1}`),
          `the last of ${MANY} events of 10 KB`,
          ROLL_OVER_MS,
        );
        take();
        mustEqual(openings(linesOf(stream.text)), 0, "the number of o in the stream that was opened again");
        const missing = Array.from({ length: MANY }, (_, at) => `large-${at}`).filter(
          (event) => !seen.includes(event),
        );
        must(missing.length === 0, () => `lost ${missing.length} of ${MANY} events: ${shown(missing)}`);
        mustEqual(seen.length, MANY, "the number of events, repeated ones included");
      },
    },
    {
      number: 112,
      what: "[] is answered by a[], never by h",
      run: async (stage) => {
        const session = await FallbackSession.create(stage);
        const stream = await session.stream();
        const before = linesOf(stream.text).length;
        await session.send([]);
        const later = () => linesOf(stream.text).slice(before);
        await stream.until(() => later().includes("a[]"), "a[]");
        await Bun.sleep(300);
        must(!later().includes("h"), () => `there came ${shown(later())}`);
      },
    },
    {
      number: 113,
      what: "preflights are answered on every URL",
      run: async (stage) => {
        const session = await FallbackSession.create(stage);
        for (const action of ["xhr_streaming", "xhr", "xhr_send"] as const) {
          const answer = await stage.send({
            method: "OPTIONS",
            path: session.url(action),
            headers: {
              Origin: "http://page.test",
              "Access-Control-Request-Method": "POST",
              "Access-Control-Request-Headers": "content-type",
            },
          });
          const { status, headers } = answer;
          must(status === 200 || status === 204, `${action}: the status is ${status}`);
          const origin = headers.get("access-control-allow-origin");
          must(origin === "*" || origin === "http://page.test", `${action}: the origin is ${origin}`);
          const allowed = headers.get("access-control-allow-headers") ?? "";
          must(/\*|content-type/i.test(allowed), `${action}: the allowed headers are ${shown(allowed)}`);
        }
      },
    },
    {
      number: 114,
      what: 'a refusal is status 200 with o and c[4001,"..."]',
      run: async (stage) => {
        for (const kind of ["xhr_streaming", "xhr"] satisfies Receive[]) {
          const session = await FallbackSession.create(stage, UNKNOWN_KEY);
          const exchange = await session.receive(kind);
          await exchange.until(() => closeIn(exchange) !== undefined, 'c[4001,"..."]');
          mustEqual(exchange.status, 200, `${kind}: the status`);
          const lines = linesOf(exchange.text);
          const open = lines.findIndex((line) => line.startsWith("o"));
          const close = lines.findIndex((line) => line.startsWith("c"));
          must(open >= 0 && open < close, () => `${kind}: no o before c: ${shown(lines.filter(isSignal))}`);
          must(/^c\[4001,"/.test(closeIn(exchange) ?? ""), () => `${kind}: ${shown(closeIn(exchange))}`);
        }
      },
    },
    {
      number: 115,
      what: "xhr_send posts that arrive out of order do not break subscribe, then client event",
      run: async (stage) => {
        await needClientEvents(stage);
        const channel = stage.name("private-");
        const receiver = await stage.subscriber(channel);
        const session = await FallbackSession.create(stage);
        const stream = await session.stream();
        const [subscribeUrl, eventUrl] = [session.url("xhr_send"), session.url("xhr_send")];
        const early = session.send([{ event: "client-early", channel, data: "{}" }], eventUrl);
        early.catch(() => undefined); // awaited below
        await Bun.sleep(10);
        await session.send([session.subscribeMessage(channel)], subscribeUrl);
        await early;
        await receiver.next("client-early");
        await subscribed(stream);
      },
    },
  ],
};

function openings(lines: readonly string[]): number {
  return lines.filter((line) => line.startsWith("o")).length;
}

function hasEvent(stream: Exchange, event: string): boolean {
  // The text is long, and looked at for each piece that comes.
  return linesOf(stream.text.slice(-2 * LARGE - 1_000)).some((line) =>
    line.includes(`\\"event\\":\\"${event}\\"`),
  );
}

async function subscribed(stream: Exchange): Promise<void> {
  const isThere = () =>
    framesOf(stream.text).some(({ event }) => event === "pusher_internal:subscription_succeeded");
  await stream.until(isThere, "subscription_succeeded");
}

function closeIn(exchange: Exchange): string | undefined {
  return linesOf(exchange.text).find((line) => line.startsWith("c"));
}

/** Whether a line is more than padding. */
function isSignal(line: string): boolean {
  return !/^h+$/.test(line);
}
