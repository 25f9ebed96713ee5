import { describe, expect, test } from "bun:test";
import { matchRoute } from "./routes.ts";

function found(method: string, path: string): string {
  const match = matchRoute(method, path.split("/"));
  if (match.found === "route") return [match.route.name, ...match.variables].join(" ");
  return match.found === "path" ? `only ${match.allowed}` : "nothing";
}

describe("a route", () => {
  test.each([
    ["POST", "events", "events"],
    ["POST", "batch_events", "batch_events"],
    ["GET", "channels", "channels"],
    ["GET", "channels/news", "channel news"],
    ["GET", "channels/presence-x/users", "users presence-x"],
    ["GET", "channels/news/stats", "stats news"],
    ["POST", "channels/news/events", "legacy_events news"],
    ["GET", "tap", "tap"],
  ])("%s %s is %s", (method, path, name) => {
    expect(found(method, path)).toBe(name);
  });

  test("has its variables decoded, as far as they can be", () => {
    expect(found("GET", "channels/a%3Db%2Fc")).toBe("channel a=b/c");
    expect(found("GET", "channels/%zz")).toBe("channel %zz");
    expect(found("GET", "channels/channels")).toBe("channel channels");
    expect(found("GET", "channels/")).toBe("channel ");
  });

  test("with another method is told which one it has", () => {
    expect(found("GET", "events")).toBe("only POST");
    expect(found("POST", "channels")).toBe("only GET");
    expect(found("HEAD", "channels/news")).toBe("only GET");
    expect(found("get", "channels")).toBe("only GET");
  });

  test("is nothing that is not in the table", () => {
    for (const path of [
      "",
      "event",
      "Events",
      "events/",
      "/events",
      "events/x",
      "channels/a/b",
      "channels/a/users/b",
      "*",
      "__proto__",
    ]) {
      expect(found("GET", path)).toBe("nothing");
      expect(found("POST", path)).toBe("nothing");
    }
  });
});
