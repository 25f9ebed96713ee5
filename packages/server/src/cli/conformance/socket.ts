/** A bare connection to the server: TCP, or TLS where the address says so. */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Finding } from "./finding.ts";
import type { Target } from "./target.ts";

/** @throws Finding where nobody answers */
export async function openSocket(target: Target, url: URL = target.url): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isTls = url.protocol === "https:";
  const port = url.port === "" ? (isTls ? 443 : 80) : Number(url.port);
  const socket = isTls
    ? connectTls({ host, port, servername: host, rejectUnauthorized: target.isInsecure !== true }, resolve)
    : connectTcp(port, host, resolve);
  socket.on("error", (problem: Error) =>
    reject(new Finding(`no connection to ${url.host}: ${problem.message}`)),
  );
  const timer = setTimeout(
    () => reject(new Finding(`no connection to ${url.host} within ${target.answerMs / 1_000} s`)),
    target.answerMs,
  );
  try {
    await promise;
    socket.setNoDelay(true);
    return socket;
  } catch (problem) {
    socket.destroy();
    throw problem;
  } finally {
    clearTimeout(timer);
  }
}

/** The path in front of everything else, without a slash at the end. */
export function mountPath(url: URL): string {
  return url.pathname.replace(/\/+$/, "");
}
