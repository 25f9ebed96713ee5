/**
 * A program: while 300 requests to the receiver on the port of the first argument are under way, sends one to the
 * receiver on the second, and writes as JSON what became of it.
 */
import { Sender } from "../sender.ts";

const [hanging, healthy] = process.argv.slice(-2);
const clock = { monotonicMs: () => performance.now() };
const sender = new Sender({ timeoutMs: 5_000, targets: "any", clock });
const post = (port = "") => sender.send({ url: `http://127.0.0.1:${port}/`, headers: {}, body: "{}" });

const others = Array.from({ length: 300 }, () => post(hanging));
console.log(JSON.stringify(await post(healthy)));
sender.close();
await Promise.all(others);
