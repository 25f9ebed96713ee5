import { expect, test } from "bun:test";
import { type Arrived, isFiltered, isSignedWith, isWanted, readDelivery } from "./delivery.ts";

// An example of docs/protocol/webhooks.md.
const BODY = '{"time_ms":1700000000123,"events":[{"name":"channel_occupied","channel":"orders"}]}';
const SIGNATURE = "85e098e543689a9734e824181708e304cebcbc2f383b5de7771a01c0d158b85e";
const PAIR = { key: "9f1c2e7a4b5d6083c1aa", secret: "d2b8f6e1a90347c5e0ff" };

function arrived(body: string, path = "/", headers: Readonly<Record<string, string>> = {}): Arrived {
  return {
    method: "POST",
    path,
    headers: new Map(Object.entries(headers)),
    body: Buffer.from(body),
    arrivedMs: 0,
  };
}

function delivery(...given: Parameters<typeof arrived>) {
  return readDelivery(arrived(...given), () => 200);
}

test("a webhook is read as it comes, and answered by what it holds", () => {
  const seen: unknown[] = [];
  const read = readDelivery(arrived(BODY), (events) => {
    seen.push(...events);
    return 500;
  });
  expect(seen).toEqual([{ name: "channel_occupied", channel: "orders" }]);
  expect(read).toMatchObject({ timeMs: 1_700_000_000_123, events: seen, status: 500 });
});

test("whatever is no webhook holds no events", () => {
  for (const body of ["", "not json", "7", "null", "[]", "{}", '{"events":7}', '{"events":[7,null,[]]}'])
    expect([body, delivery(body).events]).toEqual([body, []]);
});

test("the signature is that of the bytes, with the key that is named", () => {
  const signed = { "x-pusher-key": PAIR.key, "x-pusher-signature": SIGNATURE };
  expect(isSignedWith(delivery(BODY, "/", signed), PAIR)).toBe(true);
  expect(isSignedWith(delivery(`${BODY} `, "/", signed), PAIR)).toBe(false);
  expect(isSignedWith(delivery(BODY, "/", signed), { ...PAIR, secret: "another" })).toBe(false);
  expect(isSignedWith(delivery(BODY, "/", { ...signed, "x-pusher-key": "another" }), PAIR)).toBe(false);
  expect(isSignedWith(delivery(BODY), PAIR)).toBe(false);
});

test("the address of an endpoint tells what it wants", () => {
  const occupied = { name: "channel_occupied", channel: "private-orders" };
  const wanted = (path: string) => [isFiltered({ path }), isWanted({ path }, occupied)];
  expect(wanted("/")).toEqual([false, true]);
  expect(wanted("/hooks?token=1")).toEqual([false, true]);
  expect(wanted("/?events=channel_occupied,channel_vacated")).toEqual([true, true]);
  expect(wanted("/?events=channel_vacated")).toEqual([true, false]);
  expect(wanted("/?prefix=private-&suffix=orders")).toEqual([true, true]);
  expect(wanted("/?prefix=presence-")).toEqual([true, false]);
  expect(wanted("/?suffix=-live")).toEqual([true, false]);
});
