import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { publish } from "../support/api.ts";
import { type Earshot, startEarshot, temporaryFolder } from "../support/earshot.ts";
import { connectRaw } from "../support/raw-client.ts";
import { until } from "../support/until.ts";
import { type CertificateFiles, makeCertificate, shownSerialNumber } from "./certificate.ts";
import { refusedStart } from "./program.ts";

describe("a server with a certificate", () => {
  let folder: string;
  let first: CertificateFiles;
  let earshot: Earshot;
  /** Where the server looks. */
  let cert: string;
  let key: string;

  const put = (files: CertificateFiles) => {
    copyFileSync(files.key, key);
    copyFileSync(files.cert, cert);
  };

  beforeEach(async () => {
    folder = temporaryFolder();
    [cert, key] = [join(folder, "current.crt"), join(folder, "current.key")];
    first = makeCertificate(folder, "first");
    put(first);
    earshot = await startEarshot({ args: ["--tls-cert", cert, "--tls-key", key] });
  });

  afterEach(() => earshot.stop());

  test("speaks https and wss", async () => {
    expect(earshot.url).toStartWith("https://");
    expect(await shownSerialNumber(earshot.port)).toBe(first.serialNumber);
    const client = await connectRaw(earshot);
    await client.subscribe("news");
    await publish(earshot, "news", "greeting", "over TLS");
    expect((await client.next("greeting")).data).toBe("over TLS");
    client.close();
  });

  test("lets a connection in to an app that wants TLS", async () => {
    await earshot.updateApp("--tls-only", "true");
    expect((await connectRaw(earshot)).socketId).not.toBe("");
  });

  test("takes up a changed certificate, and connected clients go on receiving", async () => {
    const before = await connectRaw(earshot);
    await before.subscribe("news");
    const second = makeCertificate(folder, "second");
    put(second);
    await until("the new certificate is shown", async () => {
      return (await shownSerialNumber(earshot.port)) === second.serialNumber;
    });

    const after = await connectRaw(earshot);
    await after.subscribe("news");
    await publish(earshot, "news", "greeting", "to both");
    expect((await before.next("greeting")).data).toBe("to both");
    expect((await after.next("greeting")).data).toBe("to both");

    // Who is left out is left out, whichever certificate it came by.
    await publish(earshot, "news", "not-for-before", "", { socket_id: before.socketId });
    await publish(earshot, "news", "not-for-after", "", { socket_id: after.socketId });
    await before.next("not-for-after");
    await after.next("not-for-before");
    expect(before.frames.map(({ event }) => event)).not.toContain("not-for-before");
    expect(after.frames.map(({ event }) => event)).not.toContain("not-for-after");

    // Those of the old certificate are told of a stop like all others.
    expect(await earshot.stop()).toBe(0);
    expect((await before.closed).code).toBe(4200);
    expect((await after.closed).code).toBe(4200);
  });

  test("takes up certificate after certificate", async () => {
    const clients = [await connectRaw(earshot)];
    for (const name of ["second", "third"]) {
      const files = makeCertificate(folder, name);
      put(files);
      await until(`the ${name} certificate is shown`, async () => {
        return (await shownSerialNumber(earshot.port)) === files.serialNumber;
      });
      clients.push(await connectRaw(earshot));
    }
    for (const client of clients) await client.subscribe("news");
    await publish(earshot, "news", "greeting", "to all three");
    for (const client of clients) expect((await client.next("greeting")).data).toBe("to all three");
  });

  test("keeps its certificate while the new files cannot be used, and says so", async () => {
    writeFileSync(cert, "-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n");
    await until("the log says it", () => earshot.output().includes("the old one stays in use"));
    expect(await shownSerialNumber(earshot.port)).toBe(first.serialNumber);
    const second = makeCertificate(folder, "second");
    put(second);
    await until("the next good one is shown", async () => {
      return (await shownSerialNumber(earshot.port)) === second.serialNumber;
    });
  });
});

describe("a start with a wrong certificate says what is wrong in one line and exits with 1", () => {
  const folder = temporaryFolder();
  const good = makeCertificate(folder, "good");
  const other = makeCertificate(folder, "other");
  const text = join(folder, "text.txt");
  const broken = join(folder, "broken.crt");
  writeFileSync(text, "no certificate\n");
  writeFileSync(broken, "-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n");
  const missing = join(folder, "missing.crt");

  const start = (cert: string, key: string) =>
    refusedStart("--port", "0", "--data", temporaryFolder(), "--tls-cert", cert, "--tls-key", key);

  test("a file that is not there", async () => {
    expect(await start(missing, good.key)).toContain(missing);
  });

  test("a file that is no PEM", async () => {
    expect(await start(text, good.key)).toContain(`${text} is not a PEM file`);
  });

  test("a PEM file without a certificate in it", async () => {
    expect(await start(broken, good.key)).toContain(broken);
  });

  test("a key that belongs to another certificate", async () => {
    expect(await start(good.cert, other.key)).toContain("does not belong to the certificate");
  });

  test("a certificate without a key", async () => {
    const line = await refusedStart("--port", "0", "--data", temporaryFolder(), "--tls-cert", good.cert);
    expect(line).toContain("--tls-key");
  });
});
