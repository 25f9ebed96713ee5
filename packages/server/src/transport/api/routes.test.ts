import { describe, expect, test } from "bun:test";
import { matchRoute, parseApiPath } from "./routes.ts";

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
    ["POST", "users/u-7/terminate_connections", "terminate u-7"],
    ["POST", "users/anna%40example.com/terminate_connections", "terminate anna@example.com"],
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

describe("a path of the API", () => {
  test("names the app, also one with escapes", () => {
    expect(parseApiPath("/apps/4711/events")).toEqual({ appId: "4711", segments: ["events"] });
    expect(parseApiPath("/apps/a%2Db/channels/x%20y")).toEqual({
      appId: "a-b",
      segments: ["channels", "x%20y"],
    });
    expect(parseApiPath("/apps/%zz/events")).toEqual({ appId: "%zz", segments: ["events"] });
  });

  test("may name a user without the app, as python's does, in that one call", () => {
    expect(parseApiPath("/users/u-7/terminate_connections")).toEqual({
      appId: undefined,
      segments: ["users", "u-7", "terminate_connections"],
    });
    for (const path of ["/users/u-7", "/users//terminate_connections", "/users/a/b/terminate_connections"]) {
      expect(parseApiPath(path)).toBeUndefined();
    }
  });

  test("is no other path", () => {
    for (const path of [
      "/",
      "/apps",
      "/app/KEY",
      "/x/apps/4711/events",
      "/x/users/u-7/terminate_connections",
    ]) {
      expect(parseApiPath(path)).toBeUndefined();
    }
  });
});
