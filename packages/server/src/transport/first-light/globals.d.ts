/** What page.html loads before page.js. */
declare const Pusher: typeof import("pusher-js").default;
