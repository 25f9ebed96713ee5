import { readFileSync } from "node:fs";
import { LOOPBACK } from "./server-process.ts";

/** Files that a process has open beside its connections. */
const SPARE_FILES = 300;
/** Ports that other programs of the machine may hold, and those of connections that are winding down. */
const SPARE_PORTS = 2_000;

/** @returns why this machine cannot hold so many connections, with the remedy, or undefined */
export async function shortage(connections: number): Promise<string | undefined> {
  const files = await hardFileLimit();
  if (connections + SPARE_FILES > files) {
    return (
      `${connections} connections need ${connections + SPARE_FILES} open files in one process, and the hard limit is ${files}: ` +
      "raise it (ulimit -Hn) or ask for fewer"
    );
  }
  const ports = outgoingPorts() * LOOPBACK.length;
  if (connections + SPARE_PORTS > ports) {
    return (
      `${connections} connections need as many outgoing ports, and this machine has ${ports}: ` +
      "widen net.ipv4.ip_local_port_range or ask for fewer"
    );
  }
  return undefined;
}

async function hardFileLimit(): Promise<number> {
  const shell = Bun.spawn(["sh", "-c", "ulimit -Hn"], { stdout: "pipe" });
  const limit = (await new Response(shell.stdout).text()).trim();
  return limit === "unlimited" ? Number.POSITIVE_INFINITY : Number(limit);
}

function outgoingPorts(): number {
  const [first = 0, last = 0] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8")
    .trim()
    .split(/\s+/)
    .map(Number);
  return last - first + 1;
}
