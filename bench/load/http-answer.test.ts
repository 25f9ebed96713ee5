import { expect, test } from "bun:test";
import { parseAnswer } from "./http-answer.ts";

test("reads an answer once its body is whole", () => {
  const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n";
  expect(parseAnswer(head)).toBeUndefined();
  expect(parseAnswer(`${head}\r\n{`)).toBeUndefined();
  expect(parseAnswer(`${head}\r\n{}`)).toEqual({ status: 200, closes: false, body: "{}" });
});

test("reads a refusal and header names in any case", () => {
  const answer = parseAnswer("HTTP/1.1 401 Unauthorized\r\ncontent-length:3\r\n\r\nno!");
  expect(answer).toEqual({ status: 401, closes: false, body: "no!" });
});

test("sees that the server closes", () => {
  const answer = parseAnswer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
  expect(answer).toMatchObject({ closes: true });
});

test("says what it cannot read", () => {
  expect(() => parseAnswer("SSH-2.0\r\n\r\n")).toThrow("not an HTTP answer");
  expect(() => parseAnswer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")).toThrow(
    "Content-Length",
  );
});
