import { describe, expect, test } from "bun:test";
import { addressProblem } from "./targets.ts";

const NEVER = [
  "0.0.0.0",
  "0.1.2.3",
  "::",
  "169.254.169.254",
  "169.254.170.2",
  "fe80::1",
  "fe80::1%eth0",
  "febf::1",
  "224.0.0.1",
  "ff02::1",
  "255.255.255.255",
  "fd00:ec2::254",
  "fd20:ce::254",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
];

/** The same address in other clothes. */
const NEVER_IN_DISGUISE = [
  "::ffff:169.254.169.254",
  "::ffff:a9fe:a9fe",
  "::a9fe:a9fe",
  "::ffff:0:169.254.169.254",
  "64:ff9b::a9fe:a9fe",
  "2002:a9fe:a9fe::1",
  "::ffff:0.0.0.0",
  "::ffff:100.100.100.200",
  "64:ff9b::100.100.100.200",
  "fd00:0ec2:0000::0254",
  "fd00:ec2::254%eth0",
  "0xa9.254.43518",
  "2852039166",
  "0251.0376.0251.0376",
];

const PRIVATE = [
  "127.0.0.1",
  "127.255.0.1",
  "::1",
  "10.0.0.1",
  "172.16.0.1",
  "192.168.1.1",
  "100.64.0.1",
  "fc00::1",
  "fd12:3456::1",
  "fec0::1",
  "::ffff:10.0.0.1",
  "::7f00:1",
  "64:ff9b::10.0.0.1",
  "2002:c0a8:101::1",
  "198.18.0.1",
  "192.0.2.1",
  "240.0.0.1",
  "2001:db8::1",
];

const PUBLIC = [
  "8.8.8.8",
  "1.1.1.1",
  "2606:4700::1111",
  "::ffff:8.8.8.8",
  "64:ff9b::808:808",
  "2002:808:808::1",
];

describe("an address", () => {
  test.each([...NEVER, ...NEVER_IN_DISGUISE])("%p is never a target", (address) => {
    for (const targets of ["any", "public"] as const) {
      const problem = addressProblem(address, targets);
      expect(problem).toStartWith(`${address} is `);
      expect(problem).toContain("never go; give the endpoint another URL");
    }
  });

  test.each(PRIVATE)("%p is a target unless they must be public", (address) => {
    expect(addressProblem(address, "any")).toBeUndefined();
    expect(addressProblem(address, "public")).toContain('webhooks.targets is "public"');
  });

  test.each(PUBLIC)("%p is always a target", (address) => {
    expect(addressProblem(address, "any")).toBeUndefined();
    expect(addressProblem(address, "public")).toBeUndefined();
  });

  test("is told with its kind and both remedies", () => {
    expect(addressProblem("10.0.0.1", "public")).toBe(
      '10.0.0.1 is a private address, and the setting webhooks.targets is "public"; give the endpoint a public URL, or set webhooks.targets to "any"',
    );
    expect(addressProblem("fd00:ec2::254", "any")).toBe(
      "fd00:ec2::254 is a cloud metadata address, where webhooks never go; give the endpoint another URL",
    );
  });

  test("that is none is refused", () => {
    for (const address of ["", "localhost", "1.2.3.4.5", "::g", "1.2.3.4/8"])
      expect(addressProblem(address, "any")).toContain("is no IP address");
  });
});
