import { afterAll, describe, expect, test } from "bun:test";
import { protocolError } from "@earshot/protocol/errors";
import { Golden } from "@earshot/protocol/testing/golden";
import { everyRefusal } from "@earshot/protocol/testing/refusals";
import { done, json, refusal, text } from "./answers.ts";

describe("golden refusals of the HTTP API", () => {
  const golden = new Golden("http");
  const others = ["appDisabled", "channelNameInvalid", "channelNameTooLong", "eventNameTooLong"];
  const given = everyRefusal().filter(({ reason }) => reason.startsWith("api") || others.includes(reason));

  test.each(given.map((failure) => [failure.reason, failure] as const))("%s", async (reason, failure) => {
    const answer = refusal(failure);
    const type = answer.headers.get("content-type");
    const message = `HTTP/1.1 ${answer.status}\nContent-Type: ${type}\n\n${await answer.text()}`;
    expect(message).toBe(golden.text(reason, message));
  });

  afterAll(() => expect(golden.strays).toEqual([]));
});

test("a refusal is plain text: the service's sentence, then a line of what it does not say", async () => {
  const answer = refusal(protocolError("apiDataTooLarge", {}, { limit: 10_240, actual: 10_241 }));
  expect(answer.status).toBe(413);
  expect(await answer.text()).toBe(
    "The data content of this event exceeds the allowed maximum (10240 bytes). See https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info\n" +
      "reason: apiDataTooLarge; limit: 10240; actual: 10241; remedy: Send less data, or raise the app's limit maxEventBytes.\n",
  );
});

test("a success has status 200 and a JSON object", async () => {
  for (const [answer, body] of [
    [done(), "{}"],
    [json({ channels: {} }), '{"channels":{}}'],
    [json(Object.create(null)), "{}"],
  ] as const) {
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(await answer.text()).toBe(body);
  }
});

test("plain text says that it is UTF-8", async () => {
  const answer = text(404, "nothing here: ä\n");
  expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(await answer.text()).toBe("nothing here: ä\n");
});
