/**
 * What the script of a page does with pusher-js, at the word of a test. Runs in the page beside the unchanged library,
 * and keeps all that the library tells it.
 */

/**
 * @typedef {object} Told
 * @property {string} channel the channel, or "connection"
 * @property {string} event
 * @property {unknown} data
 * @property {unknown} metadata
 */

/** @type {typeof import("pusher-js").default} */
const Library = Reflect.get(globalThis, "Pusher");

const BOUND = [
  "pusher:subscription_succeeded",
  "pusher:subscription_error",
  "pusher:subscription_count",
  "pusher:member_added",
  "pusher:member_removed",
  "pusher:cache_miss",
];

const PATIENCE_MS = 10_000;

/** @type {import("pusher-js").default | undefined} */
let client;

/** What has not been handed out by `next`. @type {Told[]} */
const told = [];

/** @type {(() => void)[]} */
let waiting = [];

/** @param {Told} news */
function tell(news) {
  told.push(news);
  for (const look of waiting) look();
}

/** Members hold functions: what a test may see of them. @param {unknown} data */
function plain(data) {
  if (typeof data !== "object" || data === null || !("myID" in data)) return data;
  const { count, myID, members } = /** @type {import("pusher-js").Members} */ (data);
  return { count, myID, members: { ...members } };
}

function theClient() {
  if (client === undefined) throw new Error("connect first");
  return client;
}

export const driver = {
  /**
   * @param {string} key
   * @param {Partial<import("pusher-js").Options>} options
   */
  connect(key, options) {
    client = new Library(key, { cluster: "unused", forceTLS: false, ...options });
    for (const event of ["connected", "disconnected", "error"]) {
      client.connection.bind(event, (/** @type {unknown} */ data) => {
        tell({ channel: "connection", event, data, metadata: undefined });
      });
    }
  },

  /**
   * @param {string} name
   * @param {readonly string[]} [events]
   */
  subscribe(name, events = []) {
    const channel = theClient().subscribe(name);
    for (const event of [...BOUND, ...events]) {
      channel.bind(event, (/** @type {unknown} */ data, /** @type {unknown} */ metadata) => {
        tell({ channel: name, event, data: plain(data), metadata });
      });
    }
  },

  /**
   * @param {string} channel
   * @param {string} event
   * @param {(data: { at: number }) => void} callback
   */
  bind(channel, event, callback) {
    theClient().channel(channel).bind(event, callback);
  },

  /** @param {string} name */
  unsubscribe(name) {
    theClient().unsubscribe(name);
  },

  /**
   * @param {string} channel
   * @param {string} event
   * @param {unknown} data
   */
  trigger(channel, event, data) {
    return theClient().channel(channel).trigger(event, data);
  },

  disconnect() {
    theClient().disconnect();
  },

  state() {
    return theClient().connection.state;
  },

  socketId() {
    return theClient().connection.socket_id;
  },

  /**
   * The next thing that a channel, or the connection, is told under a name.
   *
   * @param {string} channel
   * @param {string} event
   * @returns {Promise<{ data: unknown, metadata: unknown }>}
   */
  next(channel, event) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const at = told.findIndex((news) => news.channel === channel && news.event === event);
        const [found] = at < 0 ? [] : told.splice(at, 1);
        if (found === undefined) return;
        end();
        resolve({ data: found.data, metadata: found.metadata });
      };
      const end = () => {
        clearTimeout(timer);
        waiting = waiting.filter((other) => other !== look);
      };
      const timer = setTimeout(() => {
        end();
        reject(new Error(`waited in vain for ${event} of ${channel}; told was ${JSON.stringify(told)}`));
      }, PATIENCE_MS);
      waiting.push(look);
      look();
    });
  },

  /** What a channel was told and nobody asked for yet. @param {string} channel */
  rest(channel) {
    return told.filter((news) => news.channel === channel).map(({ event }) => event);
  },

  tell,
};

Reflect.set(globalThis, "driver", driver);
