import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { OnlineUsers } from "#core/ports";

export interface OnlineUsersUnderTest {
  /** One node's view each; the same one several times where there is but one node. */
  readonly nodes: readonly [OnlineUsers, OnlineUsers];
  /** Gives back what the test used. */
  readonly dispose?: () => Promise<void>;
}

/** What every form of the port promises. @param make a port without users, new for each test */
export function onlineUsersConformance(
  form: string,
  make: () => OnlineUsersUnderTest | Promise<OnlineUsersUnderTest>,
): void {
  describe(`online users: ${form}`, () => {
    let under: OnlineUsersUnderTest;
    let here: OnlineUsers;
    let there: OnlineUsers;

    beforeEach(async () => {
      under = await make();
      [here, there] = under.nodes;
    });
    afterEach(async () => under.dispose?.());

    const signIn = (userId: string, socketId: string, appId = "4711") => ({ appId, userId, socketId });
    const online = async (of: OnlineUsers, userIds: readonly string[], appId = "4711") =>
      [...(await of.online(appId, userIds))].sort();

    test("nobody is online in the beginning", async () => {
      expect(await online(here, ["u-7", "u-8"])).toEqual([]);
      expect(await online(here, [])).toEqual([]);
    });

    test("the first connection brings a user online, for every node, and no other does", async () => {
      expect(await here.arrive(signIn("u-7", "1.1"))).toBe(true);
      expect(await here.arrive(signIn("u-7", "1.2"))).toBe(false);
      expect(await there.arrive(signIn("u-7", "2.1"))).toBe(false);
      for (const node of [here, there]) expect(await online(node, ["u-7", "u-8"])).toEqual(["u-7"]);
    });

    test("only the last connection's leave says so, and the user stays online until the lapse", async () => {
      await here.arrive(signIn("u-7", "1.1"));
      await there.arrive(signIn("u-7", "2.1"));
      expect(await here.leave(signIn("u-7", "1.1"))).toBe(false);
      expect(await here.lapse("4711", "u-7")).toBe(false);
      expect(await there.leave(signIn("u-7", "2.1"))).toBe(true);
      expect(await online(here, ["u-7"])).toEqual(["u-7"]);
      expect(await there.lapse("4711", "u-7")).toBe(true);
      for (const node of [here, there]) expect(await online(node, ["u-7"])).toEqual([]);
      expect(await here.lapse("4711", "u-7")).toBe(false);
    });

    test("a user who comes back before the lapse was never gone", async () => {
      await here.arrive(signIn("u-7", "1.1"));
      await here.leave(signIn("u-7", "1.1"));
      expect(await there.arrive(signIn("u-7", "2.1"))).toBe(false);
      expect(await here.lapse("4711", "u-7")).toBe(false);
      expect(await online(here, ["u-7"])).toEqual(["u-7"]);
    });

    test("a user who comes back after the lapse comes online anew", async () => {
      await here.arrive(signIn("u-7", "1.1"));
      await here.leave(signIn("u-7", "1.1"));
      await here.lapse("4711", "u-7");
      expect(await there.arrive(signIn("u-7", "2.1"))).toBe(true);
    });

    test("what is repeated, or was never begun, changes nothing", async () => {
      expect(await here.leave(signIn("u-7", "1.1"))).toBe(false);
      expect(await here.lapse("4711", "u-7")).toBe(false);
      await here.arrive(signIn("u-7", "1.1"));
      expect(await here.arrive(signIn("u-7", "1.1"))).toBe(false);
      expect(await here.leave(signIn("u-7", "9.9"))).toBe(false);
      expect(await online(here, ["u-7"])).toEqual(["u-7"]);
      expect(await here.leave(signIn("u-7", "1.1"))).toBe(true);
      expect(await here.leave(signIn("u-7", "1.1"))).toBe(false);
    });

    test("of many who come at once on two nodes, one is the first; of many who go, one is the last", async () => {
      const sockets = Array.from({ length: 20 }, (_, at) => ({
        node: at % 2 === 0 ? here : there,
        signIn: signIn("u-7", `${at}.1`),
      }));
      const came = await Promise.all(sockets.map((each) => each.node.arrive(each.signIn)));
      expect(came.filter(Boolean)).toHaveLength(1);
      const left = await Promise.all(sockets.map((each) => each.node.leave(each.signIn)));
      expect(left.filter(Boolean)).toHaveLength(1);
      const lapsed = await Promise.all([here.lapse("4711", "u-7"), there.lapse("4711", "u-7")]);
      expect(lapsed.filter(Boolean)).toHaveLength(1);
    });

    test("apps and users are kept apart, whatever they are called", async () => {
      const names = ["__proto__", "constructor", "a b", "😀", "u:7", "u|7"];
      for (const name of names) expect(await here.arrive(signIn(name, "1.1"))).toBe(true);
      expect(await here.arrive(signIn("__proto__", "1.1", "__proto__"))).toBe(true);
      expect(await online(there, names)).toEqual([...names].sort());
      expect(await online(there, names, "4712")).toEqual([]);
      expect(await online(there, names, "__proto__")).toEqual(["__proto__"]);
      await here.leave(signIn("__proto__", "1.1", "__proto__"));
      await here.lapse("__proto__", "__proto__");
      expect(await online(there, ["__proto__"])).toEqual(["__proto__"]);
    });
  });
}
