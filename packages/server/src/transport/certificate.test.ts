import { afterAll, beforeEach, describe, expect, jest, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CertificateProblem, readCertificate, watchCertificate } from "./certificate.ts";

const folder = mkdtempSync(join(tmpdir(), "earshot-certificate-"));
const paths = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
const pem = (name: string) => `-----BEGIN X-----\n${name}\n-----END X-----\n`;

beforeEach(() => {
  writeFileSync(paths.cert, pem("cert 1"));
  writeFileSync(paths.key, pem("key 1"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("reading", () => {
  test("gives the texts of both files", () => {
    expect(readCertificate(paths.cert, paths.key)).toEqual({ cert: pem("cert 1"), key: pem("key 1") });
  });

  test("names the file that cannot be read, and what to do", () => {
    const missing = join(folder, "missing.pem");
    expect(() => readCertificate(missing, paths.key)).toThrow(
      new CertificateProblem(
        `The TLS certificate ${missing} cannot be read (ENOENT). Name a PEM file that the server may read.`,
      ),
    );
    expect(() => readCertificate(paths.cert, folder)).toThrow(/^The TLS key .* cannot be read \(EISDIR\)/);
  });

  test("names the file that is none of the kind", () => {
    writeFileSync(paths.key, "secret that is no PEM");
    expect(() => readCertificate(paths.cert, paths.key)).toThrow(
      new CertificateProblem(
        `The TLS key ${paths.key} is not a PEM file. Name the file that begins with "-----BEGIN".`,
      ),
    );
  });
});

describe("watching", () => {
  const LOOK_MS = 2_000;

  /** What the watcher reports when files change between its looks. */
  function watch(changes: readonly (() => void)[], accepts = () => true): string[] {
    const told: string[] = [];
    jest.useFakeTimers();
    try {
      const stop = watchCertificate(
        paths,
        readCertificate(paths.cert, paths.key),
        ({ cert, key }) => {
          const names = [cert, key].map((text) => text.split("\n")[1]).join(" + ");
          if (!accepts()) throw new Error(`refused ${names}`);
          told.push(names);
        },
        (problem) => told.push(problem.message.replace(folder, "")),
      );
      for (const change of changes) {
        change();
        jest.advanceTimersByTime(LOOK_MS);
      }
      stop();
      writeFileSync(paths.cert, pem("cert after the end"));
      jest.advanceTimersByTime(LOOK_MS * 3);
    } finally {
      jest.useRealTimers();
    }
    return told;
  }

  const nothing = () => {};
  const write = (path: string, name: string) => () => writeFileSync(path, pem(name));

  test("says nothing while nothing changes, and nothing after its end", () => {
    expect(watch([nothing, nothing, write(paths.cert, "cert 1")])).toEqual([]);
  });

  test("tells each new certificate once", () => {
    expect(watch([write(paths.cert, "cert 2"), nothing, write(paths.key, "key 2"), nothing])).toEqual([
      "cert 2 + key 1",
      "cert 2 + key 2",
    ]);
  });

  test("complains once about one that cannot be used, and takes the next one", () => {
    let looks = 0;
    const accepts = () => ++looks > 1;
    expect(watch([write(paths.cert, "cert 2"), nothing, write(paths.key, "key 2")], accepts)).toEqual([
      "refused cert 2 + key 1",
      "cert 2 + key 2",
    ]);
  });

  test("complains once about a file that is gone, and goes on when it is back", () => {
    const remove = () => rmSync(paths.key);
    expect(watch([remove, nothing, write(paths.key, "key 2")])).toEqual([
      "The TLS key /key.pem cannot be read (ENOENT). Name a PEM file that the server may read.",
      "cert 1 + key 2",
    ]);
  });
});
