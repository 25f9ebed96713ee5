/**
 * Listens with the real pusher-js and shows what arrives. Names and data of events are written by strangers: they
 * reach the page through textContent alone.
 */
/** @typedef {import("../first-light.ts").FirstLightState} State */
/** @typedef {import("pusher-js").default} PusherClient */
/** @typedef {import("pusher-js").Channel} Channel */

const MAX_SHOWN_EVENTS = 200; // a page that is left open for a night stays light
const RENEW_EVERY_MS = 4 * 60_000; // a signature is accepted for ten minutes
const RETRY_MS = 3_000;

/**
 * @template {HTMLElement} E
 * @param {string} id
 * @param {new () => E} type
 */
function element(id, type) {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`the page has no ${id}`);
}

const connectionBox = element("connection", HTMLElement);
const connectionState = element("connection-state", HTMLElement);
const connectionDetail = element("connection-detail", HTMLElement);
const subscription = element("subscription", HTMLElement);
const channelInput = element("channel", HTMLInputElement);
const list = element("list", HTMLOListElement);
const said = element("said", HTMLElement);
const curlNote = element("curl-note", HTMLElement);
const FRESH_CURL_NOTE = curlNote.textContent;

/** @type {{ key: string, client: PusherClient } | undefined} */
let connected;
/** The channel that the page listens to, and the one that the visitor asked for last. */
let channelName = channelInput.value;
let wantedName = channelName;
let eventCount = 0;

start();

function start() {
  element("listen", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    const name = channelInput.value.trim();
    if (name === "") return;
    wantedName = name;
    refresh();
  });
  element("clear", HTMLButtonElement).addEventListener("click", clear);
  for (const button of document.querySelectorAll("button[data-copies]")) {
    if (button instanceof HTMLButtonElement) button.addEventListener("click", () => copy(button));
  }
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") refresh(); // timers sleep with the machine
  });
  setInterval(refresh, RENEW_EVERY_MS);
  refresh();
}

/** Asks for fresh commands. */
function refresh() {
  void ask(wantedName);
}

/**
 * Asks for the app and the commands of a channel; connects at the first answer, and again where the app has another key.
 *
 * @param {string} name of the channel
 */
async function ask(name) {
  try {
    const answer = await fetch(`/first-light/state/${encodeURIComponent(name)}`);
    if (name !== wantedName) return; // somebody has chosen another one meanwhile
    if (!answer.ok) {
      const [problem = ""] = (await answer.text()).split("\n");
      refuse(problem);
      return;
    }
    /** @type {State} */
    const state = await answer.json();
    if (name !== wantedName) return;
    if (name !== channelName) moveTo(name);
    else if (connected?.client.channel(name)?.subscribed) showSubscription("listening", "");
    show(state);
    if (connected?.key !== state.key) connect(state.key);
  } catch {
    curlNote.textContent = "The server does not answer. The command is renewed when it is back.";
    curlNote.dataset["state"] = "stale";
    setTimeout(refresh, RETRY_MS);
  }
}

/** @param {string} problem */
function refuse(problem) {
  if (connected === undefined) {
    showConnection("refused", "Nothing to listen to", problem);
    setTimeout(refresh, RETRY_MS);
    return;
  }
  const name = wantedName;
  wantedName = channelName;
  showSubscription(
    "refused",
    name === channelName ? problem : `${problem.replace(/\.?$/, ".")} Still listening to ${channelName}.`,
  );
}

/** @param {State} state */
function show(state) {
  const { hostname, protocol } = location;
  const isTls = protocol === "https:";
  const port = portOf(location);
  const server = new URL(state.url);
  write("trigger", state.trigger);
  write("curl", state.curl);
  curlNote.textContent = FRESH_CURL_NOTE;
  delete curlNote.dataset["state"];
  write(
    "browser",
    [
      `import Pusher from "pusher-js";`,
      ``,
      `const pusher = new Pusher(${JSON.stringify(state.key)}, {`,
      `  cluster: "", // the library wants one; Earshot has none`,
      `  wsHost: ${JSON.stringify(hostname)},`,
      `  ${isTls ? "wssPort" : "wsPort"}: ${port},`,
      `  forceTLS: ${isTls},`,
      `  enabledTransports: ["ws", "wss"],`,
      `});`,
      ``,
      `pusher.subscribe(${JSON.stringify(channelName)}).bind("greeting", (data) => {`,
      `  console.log(data.text);`,
      `});`,
    ].join("\n"),
  );
  write(
    "backend",
    [
      `import Pusher from "pusher";`,
      ``,
      `const pusher = new Pusher({`,
      `  appId: ${JSON.stringify(state.appId)},`,
      `  key: ${JSON.stringify(state.key)},`,
      `  secret: process.env.EARSHOT_SECRET,`,
      `  host: ${JSON.stringify(server.hostname)},`,
      `  port: ${JSON.stringify(String(portOf(server)))},`,
      `  useTLS: ${server.protocol === "https:"},`,
      `});`,
      ``,
      `await pusher.trigger(${JSON.stringify(channelName)}, "greeting", {`,
      `  text: "Hello from Node",`,
      `});`,
    ].join("\n"),
  );
}

/** @param {{ port: string, protocol: string }} address */
function portOf({ port, protocol }) {
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}

/**
 * @param {string} id
 * @param {string} text
 */
function write(id, text) {
  element(id, HTMLElement).textContent = text;
}

/** @param {string} key */
function connect(key) {
  connected?.client.disconnect();
  const port = portOf(location);
  const client = new Pusher(key, {
    cluster: "",
    wsHost: location.hostname,
    wsPort: port,
    wssPort: port,
    forceTLS: location.protocol === "https:",
    enabledTransports: ["ws", "wss"],
  });
  connected = { key, client };
  const isCurrent = () => connected?.client === client;
  /** What the server said when it refused; kept until there is a connection again. */
  let problem = "";
  client.connection.bind("error", (/** @type {unknown} */ error) => {
    if (!isCurrent()) return;
    const { code, text } = readError(error);
    if (text === "") return; // the connection merely broke
    if (code === undefined) showSubscription("refused", text);
    else if (code < 4100) problem = text;
    if (problem !== "" && client.connection.state === "disconnected")
      showConnection("refused", "Refused", problem);
  });
  client.connection.bind("connecting_in", (/** @type {number} */ seconds) => {
    if (isCurrent()) showConnection("connecting", "Connecting", seconds > 0 ? `again in ${seconds} s` : "");
  });
  client.connection.bind("state_change", (/** @type {{ current: string }} */ { current }) => {
    if (!isCurrent()) return;
    if (current === "connected") {
      problem = "";
      showConnection("connected", "Connected", `as socket ${client.connection.socket_id}`);
      refresh(); // it may be another server than before, with another app
    } else {
      showSubscription("waiting", "");
      // The library gives up after a refusal. Whoever mends its cause should see this page come back.
      if (current === "disconnected") setTimeout(() => isCurrent() && client.connect(), RETRY_MS);
      if (current === "unavailable") problem = "";
      if (problem !== "") showConnection("refused", "Refused", problem);
      else if (current === "unavailable") {
        showConnection("unavailable", "Unavailable", "The server does not answer. Still trying.");
      } else if (current === "failed") {
        showConnection("refused", "Failed", "This browser has no WebSockets.");
      } else showConnection("connecting", current === "disconnected" ? "Disconnected" : "Connecting", "");
    }
  });
  subscribe(client.subscribe(channelName));
}

/**
 * What the server said, and its code where it ends the connection.
 *
 * @param {unknown} error
 * @returns {{ code: number | undefined, text: string }}
 */
function readError(error) {
  const data = fieldsOf(fieldsOf(error)["data"]);
  const { code, message, remedy } = data;
  const number = typeof code === "number" ? code : undefined;
  if (typeof message !== "string") return { code: number, text: "" };
  const named = number === undefined ? message : `${message} (${number})`;
  return { code: number, text: typeof remedy === "string" ? `${named}. ${remedy}` : named };
}

/**
 * @param {unknown} value
 * @returns {Record<string, unknown>}
 */
function fieldsOf(value) {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/** @param {string} name a channel that may be subscribed to */
function moveTo(name) {
  connected?.client.unsubscribe(channelName);
  channelName = name;
  if (connected !== undefined) subscribe(connected.client.subscribe(name));
}

/** @param {Channel} channel */
function subscribe(channel) {
  const isCurrent = () => channel.name === channelName && connected?.client.channel(channel.name) === channel;
  showSubscription("waiting", "");
  channel.bind("pusher:subscription_succeeded", () => {
    if (isCurrent()) showSubscription("listening", "");
  });
  channel.bind("pusher:subscription_error", (/** @type {unknown} */ error) => {
    if (!isCurrent()) return;
    const { error: text } = /** @type {{ error?: unknown }} */ (
      typeof error === "object" && error ? error : {}
    );
    showSubscription("refused", typeof text === "string" ? text : "The subscription was refused.");
  });
  channel.bind_global((/** @type {string} */ name, /** @type {unknown} */ data) => {
    if (!name.startsWith("pusher:") && !name.startsWith("pusher_internal:")) add(channel.name, name, data);
  });
}

/**
 * @param {"connecting" | "connected" | "unavailable" | "refused"} state
 * @param {string} title
 * @param {string} detail
 */
function showConnection(state, title, detail) {
  connectionBox.dataset["state"] = state;
  connectionState.textContent = title;
  connectionDetail.textContent = detail;
}

/**
 * @param {"waiting" | "listening" | "refused"} state
 * @param {string} problem
 */
function showSubscription(state, problem) {
  subscription.dataset["state"] = state;
  if (state === "refused") subscription.textContent = problem;
  else {
    const name = document.createElement("code");
    name.textContent = channelName;
    subscription.replaceChildren(state === "listening" ? "Listening to " : "Not listening yet to ", name);
  }
}

/**
 * @param {string} channel
 * @param {string} event
 * @param {unknown} data
 */
function add(channel, event, data) {
  eventCount++;
  const item = document.createElement("li");
  const head = document.createElement("p");
  const now = new Date();
  const time = part("time", "time", clockTime(now));
  time.setAttribute("datetime", now.toISOString());
  head.append(part("strong", "name", event), part("span", "channel", channel), time);
  const body = part("pre", "data", typeof data === "string" ? data : (JSON.stringify(data, null, 2) ?? ""));
  item.append(head, body);
  list.prepend(item);
  if (body.scrollHeight > body.clientHeight) body.tabIndex = 0; // scrolls by keyboard, too
  while (list.children.length > MAX_SHOWN_EVENTS) list.lastElementChild?.remove();
  showCount();
}

/**
 * @param {string} tag
 * @param {string} name
 * @param {string} text
 */
function part(tag, name, text) {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

/** @param {Date} date */
function clockTime(date) {
  const digits = (/** @type {number} */ number, length = 2) => String(number).padStart(length, "0");
  return `${digits(date.getHours())}:${digits(date.getMinutes())}:${digits(date.getSeconds())}.${digits(date.getMilliseconds(), 3)}`;
}

function showCount() {
  element("count-row", HTMLElement).hidden = eventCount === 0;
  element("empty", HTMLElement).hidden = eventCount > 0;
  write("count", String(eventCount));
  const shown = list.children.length;
  const noun = eventCount === 1 ? "event" : "events";
  write("count-noun", shown < eventCount ? `${noun}, the last ${shown} shown` : noun);
}

function clear() {
  eventCount = 0;
  list.replaceChildren();
  showCount();
  channelInput.focus();
}

/** @param {HTMLButtonElement} button */
async function copy(button) {
  const source = element(button.dataset["copies"] ?? "", HTMLElement);
  const isCopied = await copyText(source);
  button.textContent = isCopied ? "Copied" : "Selected";
  said.textContent = isCopied ? "Copied." : "The text is selected: copy it with the keyboard.";
  setTimeout(() => {
    button.textContent = "Copy";
    said.textContent = "";
  }, 1_600);
}

/**
 * A page that is neither on this machine nor behind TLS may not write to the clipboard: there the text is selected.
 *
 * @param {HTMLElement} source
 */
async function copyText(source) {
  try {
    await navigator.clipboard.writeText(source.textContent ?? "");
    return true;
  } catch {
    getSelection()?.selectAllChildren(source);
    return document.execCommand("copy");
  }
}
