import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Bus } from "#core/ports";

/** A subscriber somewhere in the cluster. */
export interface BusListener {
  readonly socketId: string;
  /** What has arrived, in its order. */
  readonly frames: readonly string[];
}

export interface BusUnderTest {
  readonly bus: Bus;
  /** Puts a subscriber of a channel on some node. */
  readonly listen: (appId: string, channel: string) => BusListener | Promise<BusListener>;
  /** Waits until everything has arrived that is on its way. */
  readonly settle: () => Promise<void>;
  /** Frames that were due to subscribers so far, over all nodes and apps. */
  readonly delivered: () => number;
  /** Gives back what the test used. */
  readonly dispose?: () => Promise<void>;
}

/** What every form of the port promises. @param make a bus without subscribers, new for each test */
export function busConformance(form: string, make: () => BusUnderTest | Promise<BusUnderTest>): void {
  describe(`bus: ${form}`, () => {
    let under: BusUnderTest;

    beforeEach(async () => {
      under = await make();
    });
    afterEach(async () => under.dispose?.());

    const publish = async (channel: string, frame: string, except?: string, appId = "4711") => {
      await under.bus.publish(appId, channel, frame, except);
      await under.settle();
    };

    test("brings a frame to every subscriber of its channel, unchanged", async () => {
      const listeners = [await under.listen("4711", "news"), await under.listen("4711", "news")];
      for (const frame of ["{}", "", '{"event":"e","data":"\\u2028 😀 \u0000"}'])
        await publish("news", frame);
      for (const { frames } of listeners) {
        expect(frames).toEqual(["{}", "", '{"event":"e","data":"\\u2028 😀 \u0000"}']);
      }
      expect(under.delivered()).toBe(6);
    });

    test("brings it to nobody else: another channel, another app", async () => {
      const others = [
        await under.listen("4711", "news-2"),
        await under.listen("4711", "new"),
        await under.listen("4712", "news"),
        await under.listen("4711-news", "news"),
      ];
      await publish("news", "x");
      for (const { frames } of others) expect(frames).toEqual([]);
      expect(under.delivered()).toBe(0);
    });

    test("leaves out the one connection that is named, wherever it is", async () => {
      const [left, other] = [await under.listen("4711", "news"), await under.listen("4711", "news")];
      await publish("news", "x", left.socketId);
      expect(left.frames).toEqual([]);
      expect(other.frames).toEqual(["x"]);
      expect(under.delivered()).toBe(1);
    });

    test("leaves out nobody where the connection is unknown, or of another app or channel", async () => {
      const listener = await under.listen("4711", "news");
      const [ofOtherApp, ofOtherChannel] = [
        await under.listen("4712", "news"),
        await under.listen("4711", "sport"),
      ];
      for (const except of ["1.1", ofOtherApp.socketId, ofOtherChannel.socketId])
        await publish("news", "x", except);
      expect(listener.frames).toEqual(["x", "x", "x"]);
      expect(ofOtherApp.frames).toEqual([]);
      expect(ofOtherChannel.frames).toEqual([]);
      expect(under.delivered()).toBe(3);
    });

    test("keeps the order of a caller that does not wait", async () => {
      const listener = await under.listen("4711", "news");
      const sent = Array.from({ length: 500 }, (_, index) => String(index));
      await Promise.all(sent.map((frame) => under.bus.publish("4711", "news", frame)));
      await under.settle();
      expect(listener.frames).toEqual(sent);
    });

    test("takes a frame for a channel that nobody is subscribed to", async () => {
      await publish("nobody", "x");
      expect(under.delivered()).toBe(0);
    });
  });
}
