import ipaddr from "ipaddr.js";

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Who a client is when proxies stand between: only proxies that the operator names are believed. */
export class ClientAddress {
  readonly #trusted: readonly Range[];

  /** @param trustedProxies addresses or CIDR ranges, already checked */
  constructor(trustedProxies: readonly string[]) {
    this.#trusted = trustedProxies.map(parseRange);
  }

  /** The nearest address that is no trusted proxy, read from the right of X-Forwarded-For. */
  of(peer: string, forwardedFor: string | null): string {
    if (forwardedFor === null || !this.trusts(peer)) return peer;
    const hops = forwardedFor.split(",").map((hop) => hop.trim());
    let client = peer;
    for (const hop of hops.reverse()) {
      if (!ipaddr.isValid(hop)) return client;
      client = hop;
      if (!this.trusts(hop)) return client;
    }
    return client;
  }

  /** Whether the client itself used TLS. */
  isTls(peer: string, listenerIsTls: boolean, forwardedProto: string | null): boolean {
    if (forwardedProto === null || !this.trusts(peer)) return listenerIsTls;
    const nearest = forwardedProto.split(",").at(-1)?.trim().toLowerCase();
    return nearest === "https" || nearest === "wss";
  }

  trusts(address: string): boolean {
    if (this.#trusted.length === 0 || !ipaddr.isValid(address)) return false;
    const parsed = ipaddr.process(address);
    return this.#trusted.some(([base, bits]) => base.kind() === parsed.kind() && parsed.match(base, bits));
  }
}

/** @throws where the text is neither an address nor a CIDR range */
export function parseRange(text: string): Range {
  if (text.includes("/")) return ipaddr.parseCIDR(text);
  const address = ipaddr.process(text);
  return [address, address.kind() === "ipv4" ? 32 : 128];
}
