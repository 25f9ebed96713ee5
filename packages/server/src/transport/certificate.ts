import { readFileSync } from "node:fs";
import type { Certificate } from "./listener.ts";

const LOOK_EVERY_MS = 2_000; // ours: file events are lost on many mounts, so the files are read again

/** The files of a certificate cannot be used. The message is one line that names the file and says what to do. */
export class CertificateProblem extends Error {
  override readonly name = "CertificateProblem";
}

/** @throws CertificateProblem */
export function readCertificate(certPath: string, keyPath: string): Certificate {
  return { cert: readPem(certPath, "certificate"), key: readPem(keyPath, "key") };
}

function readPem(path: string, what: string): string {
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (problem) {
    const why = problem instanceof Error && "code" in problem ? String(problem.code) : String(problem);
    throw new CertificateProblem(
      `The TLS ${what} ${path} cannot be read (${why}). Name a PEM file that the server may read.`,
    );
  }
  if (pem.includes("-----BEGIN ")) return pem;
  throw new CertificateProblem(
    `The TLS ${what} ${path} is not a PEM file. Name the file that begins with "-----BEGIN".`,
  );
}

/** Calls back when the files hold another certificate than before. Returns the way out. */
export function watchCertificate(
  paths: { cert: string; key: string },
  current: Certificate,
  changed: (certificate: Certificate) => void,
  failed: (problem: Error) => void,
): () => void {
  let known = current;
  let lastProblem = "";
  const timer = setInterval(() => {
    try {
      const now = readCertificate(paths.cert, paths.key);
      if (now.cert === known.cert && now.key === known.key) return;
      known = now; // also where it proves wrong: it is complained about once
      changed(now);
      lastProblem = "";
    } catch (problem) {
      const error = problem instanceof Error ? problem : new Error(String(problem));
      if (error.message === lastProblem) return;
      lastProblem = error.message;
      failed(error);
    }
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}
