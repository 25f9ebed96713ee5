import ipaddr from "ipaddr.js";

/** Where webhooks may go: the setting `webhooks.targets`. */
export type Targets = "any" | "public";

/** Kinds of addresses that no receiver has. A link-local one may also be the cloud's own services. */
const NEVER: Readonly<Record<string, string>> = {
  unspecified: "the unspecified address, which means this machine",
  linkLocal: "a link-local address",
  multicast: "a multicast address",
  broadcast: "the broadcast address",
};

/** What clouds tell their machines, credentials among it, where that is not link-local anyway. */
const METADATA = new Set(
  [
    "fd00:ec2::254", // Amazon
    "fd20:ce::254", // Google
    "168.63.129.16", // Azure
    "100.100.100.200", // Alibaba
    "192.0.0.192", // Oracle
    "fd00:c1::a9fe:a9fe", // Oracle
    "fd00:42::42", // Scaleway
  ].map((address) => bytesOf(ipaddr.parse(address))),
);

const KINDS: Readonly<Record<string, string>> = {
  loopback: "a loopback address",
  private: "a private address",
  uniqueLocal: "a private address",
  deprecatedSiteLocal: "a private address",
  carrierGradeNat: "a private address of a provider",
};

/**
 * Why webhooks do not go to an address, with the remedy; undefined where they may.
 * @param address in any notation that resolvers and URLs use
 */
export function addressProblem(address: string, targets: Targets): string | undefined {
  if (!ipaddr.isValid(address)) return `"${address}" is no IP address; give the endpoint another URL`;
  for (const reached of reachedBy(ipaddr.process(address))) {
    const kind = reached.range();
    const never = METADATA.has(bytesOf(reached)) ? "a cloud metadata address" : NEVER[kind];
    if (never !== undefined)
      return `${address} is ${never}, where webhooks never go; give the endpoint another URL`;
    if (targets === "public" && kind !== "unicast" && !isEnvelope(reached)) {
      const what = KINDS[kind] ?? "not a public address";
      return `${address} is ${what}, and the setting webhooks.targets is "public"; give the endpoint a public URL, or set webhooks.targets to "any"`;
    }
  }
  return undefined;
}

/** An address, and the IPv4 address that an IPv6 one is translated to on the way. */
function reachedBy(address: ipaddr.IPv4 | ipaddr.IPv6): readonly (ipaddr.IPv4 | ipaddr.IPv6)[] {
  if (address instanceof ipaddr.IPv4) return [address];
  if (!isEnvelope(address)) return [address];
  const bytes = address.toByteArray();
  const inner = address.range() === "6to4" ? bytes.slice(2, 6) : bytes.slice(12);
  return [address, new ipaddr.IPv4(inner)];
}

/** NAT64, 6to4, and the old forms `::127.0.0.1` and `::ffff:0:127.0.0.1`. */
function isEnvelope(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address instanceof ipaddr.IPv4) return false;
  const kind = address.range();
  if (kind === "rfc6052" || kind === "rfc6145" || kind === "6to4") return true;
  return kind === "unicast" && address.parts.slice(0, 6).every((part) => part === 0);
}

/** What tells addresses apart, without the zone that an IPv6 address may name. */
function bytesOf(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  return address.toByteArray().join(".");
}
