import { networkInterfaces } from "node:os";
import type { TestContext } from "vitest";

/** Skips a test on a machine without ::1, such as a container whose network has IPv4 alone. */
export function needsIpv6({ skip }: Pick<TestContext, "skip">): void {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  skip(!addresses.some(({ address }) => address === "::1"), "this machine has no IPv6 address ::1");
}
