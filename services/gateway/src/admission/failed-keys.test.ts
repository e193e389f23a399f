import { expect, it } from "vitest";
import { FailedKeys, networkOf } from "./failed-keys.js";

it("lets an address wait until one of its failures is forgiven", () => {
  let now = 1000;
  const failed = new FailedKeys(3, () => now);
  failed.add("a");
  now += 10_000;
  failed.add("a");
  expect(failed.waitMs("a")).toBe(0);
  failed.add("a");
  expect(failed.waitMs("a")).toBe(10_000);
  expect(failed.waitMs("b")).toBe(0);
  now += 10_000;
  expect(failed.waitMs("a")).toBe(0);
  failed.add("a");
  expect(failed.waitMs("a")).toBe(20_000);
});

it("takes no more wrong keys at the end of a minute and the beginning of the next than at any other time", () => {
  let now = 0;
  const failed = new FailedKeys(100, () => now);
  const guesses = (): number => {
    let taken = 0;
    for (; failed.waitMs("a") === 0; taken++) failed.add("a");
    return taken;
  };
  now = 59_900;
  const before = guesses();
  now = 60_100;
  expect([before, guesses()]).toEqual([100, 0]);
});

it("forgets the address that failed first once there are 10,000 others", () => {
  const failed = new FailedKeys(1, () => 0);
  failed.add("first");
  for (let i = 1; i < 10_000; i++) failed.add(`address ${i}`);
  expect(failed.waitMs("first")).toBeGreaterThan(0);
  failed.add("one more");
  expect(failed.waitMs("first")).toBe(0);
  expect(failed.waitMs("one more")).toBeGreaterThan(0);
});

it.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::7", "2001:db8:1:2::/64"],
  ["2001:db8::7", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
])("counts the keys of %s for %s", (address, network) => expect(networkOf(address)).toBe(network));

it("counts all addresses of an IPv6 network together: one client has 2^64 of them", () => {
  const failed = new FailedKeys(1, () => 0);
  failed.add("2001:db8::1");
  expect(failed.waitMs("2001:db8::ffff:1")).toBeGreaterThan(0);
  expect(failed.waitMs("2001:db8:0:1::1")).toBe(0);
});
