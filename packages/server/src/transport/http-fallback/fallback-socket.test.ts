import { beforeEach, describe, expect, test } from "bun:test";
import { ManualClock } from "#core/testing/manual-clock";
import { FallbackSocket, HEARTBEAT_MS, ROLL_OVER_MS, UNATTENDED_MS } from "./fallback-socket.ts";
import { FallbackTopics } from "./fallback-topics.ts";
import type { Line } from "./line.ts";
import type { Receiver } from "./receiver.ts";

/** A receive request whose reader does as the test says. */
class FakeReceiver implements Receiver {
  text = "";
  isFull = false;
  isDrained = true;
  isOpen = true;
  takes = Number.POSITIVE_INFINITY;
  readonly #socket: FallbackSocket;

  constructor(socket: FallbackSocket) {
    this.#socket = socket;
  }

  get hasRoom(): boolean {
    return this.isOpen && !this.isFull && this.takes > 0;
  }

  write({ bytes }: Line): void {
    this.takes--;
    this.text += new TextDecoder().decode(bytes);
    this.#socket.drained(this); // as a stream may say in the middle of a write
  }

  end(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#socket.detach(this);
  }

  room(lines: number): void {
    this.takes = lines;
    this.#socket.drained(this);
  }
}

const clock = new ManualClock();
const topics = new FallbackTopics();
let overflows: number[];
let closes: boolean[];
let socket: FallbackSocket;

beforeEach(() => {
  overflows = [];
  closes = [];
  socket = new FallbackSocket({
    topics,
    maxWaitingBytes: 100,
    nowMs: () => clock.monotonicMs(),
    overflowed: (bytes) => overflows.push(bytes),
    closed: (hasGoodbye) => closes.push(hasGoodbye),
  });
});

function receive(): FakeReceiver {
  const receiver = new FakeReceiver(socket);
  socket.attach(receiver);
  return receiver;
}

describe("a session's lines", () => {
  test("begin with o, once, and wait until they are asked for", () => {
    socket.send("first");
    const one = receive();
    expect(one.text).toBe('o\na["first"]\n');
    socket.send("second");
    expect(one.text).toBe('o\na["first"]\na["second"]\n');
    one.end();
    socket.send("third");
    expect(receive().text).toBe('a["third"]\n');
  });

  test("keep the order of sends and publishes, whoever reads how slowly", () => {
    socket.subscribe("7/a");
    const slow = receive();
    slow.takes = 0;
    for (const [at, frame] of ["1", "2", "3", "4", "5"].entries()) {
      if (at % 2 === 0) socket.send(frame);
      else topics.publish("7/a", frame);
      slow.room(1);
      slow.takes = 0;
      if (at === 2) slow.end();
      if (at === 3) expect(receive().text).toBe('a["4"]\n');
    }
    expect(slow.text).toBe('o\na["1"]\na["2"]\na["3"]\n');
    socket.unsubscribe("7/a");
  });

  test("stop when a stream is full, and go on with the next one", () => {
    const full = receive();
    full.isFull = true;
    socket.send("kept");
    expect(full.text).toBe("o\n");
    expect(receive().text).toBe('a["kept"]\n');
    expect(full.isOpen).toBe(false);
  });

  test("escape line breaks", () => {
    socket.send('{"data":"a\nb"}');
    expect(receive().text).toBe('o\na["{\\"data\\":\\"a\\nb\\"}"]\n');
  });

  test("go to the newest request alone; that the older one ends says nothing", () => {
    const [older, newer] = [receive(), receive()];
    older.end();
    socket.send("news");
    expect([older.text, newer.text]).toEqual(["o\n", 'a["news"]\n']);
  });

  test("do not wait without bound", async () => {
    socket.send("x".repeat(60));
    socket.send("y".repeat(60));
    socket.send("z");
    expect(overflows).toEqual([]);
    await Promise.resolve();
    expect(overflows).toEqual([134]); // o, and two messages of 60 in 66
    socket.close(4100, "Over capacity");
    expect(receive().text).toBe('c[4100,"Over capacity"]\n');
  });
});

describe("a sign of life", () => {
  test("is answered by a[], once for however many were given", () => {
    const receiver = receive();
    receiver.takes = 0;
    socket.acknowledge();
    socket.acknowledge();
    receiver.room(5);
    expect(receiver.text).toBe("o\na[]\n");
  });

  test("is answered by anything else that is said", () => {
    const before = receive();
    before.end();
    socket.acknowledge();
    socket.send("news");
    expect(receive().text).toBe('a["news"]\n');
  });

  test("is asked for with h", () => {
    const receiver = receive();
    socket.ping();
    expect(receiver.text).toBe("o\nh\n");
  });
});

describe("time", () => {
  test("without a word brings a heartbeat", () => {
    const receiver = receive();
    clock.advance(HEARTBEAT_MS - 1);
    expect(socket.checkAttendance()).toBe(true);
    expect(receiver.text).toBe("o\n");
    clock.advance(1);
    expect(socket.checkAttendance()).toBe(true);
    expect(receiver.text).toBe("o\nh\n");
    expect(socket.checkAttendance()).toBe(true);
    expect(receiver.text).toBe("o\nh\n");
  });

  test("without a receive request ends the session", () => {
    const receiver = receive();
    clock.advance(60_000);
    receiver.end();
    clock.advance(UNATTENDED_MS - 1);
    expect(socket.checkAttendance()).toBe(true);
    clock.advance(1);
    expect(socket.checkAttendance()).toBe(false);
  });

  test("ends the session of a full stream that has left and is not followed by another", () => {
    const receiver = receive();
    receiver.isFull = true;
    receiver.isDrained = false;
    clock.advance(ROLL_OVER_MS);
    expect(socket.checkAttendance()).toBe(true);
    receiver.isDrained = true;
    clock.advance(ROLL_OVER_MS - 1);
    expect(socket.checkAttendance()).toBe(true);
    clock.advance(1);
    expect(socket.checkAttendance()).toBe(false);
  });
});

describe("the end", () => {
  test("hands over what was said before, then the goodbye, and says it again to who asks again", () => {
    socket.send("last words");
    socket.close(4200, 'Please "reconnect"');
    socket.send("unheard");
    socket.close(4201, "twice");
    expect(closes).toEqual([true]);
    const one = receive();
    expect(one.text).toBe('o\na["last words"]\nc[4200,"Please \\"reconnect\\""]\n');
    expect(one.isOpen).toBe(false);
    expect(receive().text).toBe('c[4200,"Please \\"reconnect\\""]\n');
  });

  test("closes an open request", () => {
    const receiver = receive();
    socket.close(4001, "no");
    expect(receiver.text).toBe('o\nc[4001,"no"]\n');
    expect(receiver.isOpen).toBe(false);
  });

  test("without a goodbye is silent", () => {
    const receiver = receive();
    socket.terminate();
    expect([receiver.text, receiver.isOpen]).toEqual(["o\n", false]);
    expect(closes).toEqual([false]);
  });

  test("is the end of all else", () => {
    socket.terminate();
    socket.subscribe("7/a");
    socket.acknowledge();
    socket.ping();
    expect(topics.isEmpty).toBe(true);
  });
});
