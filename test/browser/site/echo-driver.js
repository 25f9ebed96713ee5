/** What the script of a page does with laravel-echo, at the word of a test; what it hears is told to the driver. */
import { driver } from "./driver.js";

/** @type {{ default: typeof import("laravel-echo").default }} */
const Library = Reflect.get(globalThis, "Echo");

/** @type {import("laravel-echo").default<"pusher"> | undefined} */
let echo;

function theEcho() {
  if (echo === undefined) throw new Error("connect first");
  return echo;
}

/** @typedef {"channel" | "private" | "encryptedPrivate" | "join"} Kind */

export const echoDriver = {
  /** @param {ConstructorParameters<typeof import("laravel-echo").default<"pusher">>[0]} options */
  connect(options) {
    echo = new Library.default(options);
    echo.connector.pusher.connection.bind("connected", () => {
      driver.tell({ channel: "connection", event: "connected", data: undefined, metadata: undefined });
    });
  },

  /**
   * @param {Kind} kind
   * @param {string} name
   * @param {readonly string[]} events
   */
  listen(kind, name, events) {
    const hear = (/** @type {string} */ event) => (/** @type {unknown} */ data) => {
      driver.tell({ channel: name, event, data, metadata: undefined });
    };
    const channel = theEcho()[kind](name);
    channel.subscribed(hear("subscribed")).error(hear("error"));
    for (const event of events) channel.listen(event, hear(event));
    channel.listenForWhisper("typing", hear("whisper"));
    if (kind === "join")
      theEcho().join(name).here(hear("here")).joining(hear("joining")).leaving(hear("leaving"));
  },

  /**
   * @param {"private" | "join"} kind
   * @param {string} name
   * @param {Record<string, unknown>} data
   */
  whisper(kind, name, data) {
    theEcho()[kind](name).whisper("typing", data);
  },

  /** @param {string} name */
  leave(name) {
    theEcho().leave(name);
  },

  socketId() {
    return theEcho().socketId();
  },
};

Reflect.set(globalThis, "echoDriver", echoDriver);
