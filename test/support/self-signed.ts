import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

const DAY_MS = 86_400_000;

/**
 * PEM texts of a new key and a certificate for a name and 127.0.0.1 that it has signed itself, good for a day.
 *
 * @param dnsName which the certificate is for
 */
export function selfSigned(
  commonName: string,
  dnsName = "localhost",
): { readonly cert: string; readonly key: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const name = sequence(set(sequence(identifier("550403"), der(0x0c, Buffer.from(commonName)))));
  const names = [der(0x82, Buffer.from(dnsName)), der(0x87, Buffer.from([127, 0, 0, 1]))];
  const alternativeNames = sequence(identifier("551d11"), der(0x04, sequence(...names)));
  const signedPart = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    name,
    sequence(utcTime(Date.now() - DAY_MS), utcTime(Date.now() + DAY_MS)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(alternativeNames)),
  );
  const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign("sha256", signedPart, privateKey)]));
  return {
    cert: pem("CERTIFICATE", sequence(signedPart, ECDSA_WITH_SHA256, signature)),
    key: String(privateKey.export({ type: "pkcs8", format: "pem" })),
  };
}

/** One element of ASN.1 in its DER form (X.690). */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function set(part: Buffer): Buffer {
  return der(0x31, part);
}

function identifier(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

function utcTime(unixMs: number): Buffer {
  const digits = new Date(unixMs).toISOString().replace(/\D/g, "").slice(2, 14);
  return der(0x17, Buffer.from(`${digits}Z`));
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

const ECDSA_WITH_SHA256 = sequence(identifier("2a8648ce3d040302"));
