import type { Settings } from "#config/fields";
import { CertificateProblem } from "#transport/certificate";

/** Why the server could not start to listen, in one line that says what to do; undefined for what is not known. */
export function listenProblem(problem: Error, settings: Settings): string | undefined {
  if (problem instanceof CertificateProblem) return problem.message;
  const code = "code" in problem ? String(problem.code) : "";
  const [host, port] = [settings["http.host"], settings["http.port"]];
  const metrics =
    settings["metrics.port"] === 0
      ? ""
      : ` (or the metrics port ${settings["metrics.port"]}, --metrics-port)`;
  switch (code) {
    case "EADDRINUSE":
      return `Port ${port} is in use${metrics}: stop the program that has it, or choose another with --port.`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `This machine has no address ${host}: name one that it has with --host, or 0.0.0.0 for all.`;
    case "EACCES":
      return `This user may not listen on port ${port}${metrics}: choose a port from 1024 up with --port, or run behind a proxy.`;
    case "ERR_OSSL_X509_KEY_VALUES_MISMATCH":
      return `The TLS key ${settings["tls.key"]} does not belong to the certificate ${settings["tls.cert"]}: give the two that were made together.`;
    default:
      return code.startsWith("ERR_OSSL")
        ? `The TLS certificate ${settings["tls.cert"]} or its key ${settings["tls.key"]} cannot be used (${code}): give PEM files, the certificate with --tls-cert and its key with --tls-key.`
        : undefined;
  }
}
