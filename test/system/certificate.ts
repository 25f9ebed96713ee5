/** Self-signed certificates, and a look at the one that a server shows. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
  readonly serialNumber: string;
}

export function makeCertificate(folder: string, name: string): CertificateFiles {
  const cert = join(folder, `${name}.crt`);
  const key = join(folder, `${name}.key`);
  const flags =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost";
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...flags.split(" "), "-keyout", key, "-out", cert]);
  if (exitCode !== 0) throw new Error(stderr.toString());
  return { cert, key, serialNumber: new X509Certificate(readFileSync(cert)).serialNumber };
}

/** The serial number of the certificate that a new connection is shown; empty where it was reset, as in the moment of a change. */
export function shownSerialNumber(port: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
    resolve(socket.getPeerCertificate().serialNumber);
    socket.destroy();
  });
  socket.on("error", () => resolve(""));
  return promise;
}
