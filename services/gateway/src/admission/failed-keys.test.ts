import { expect, it } from "vitest";
import { FailedKeys } from "./failed-keys.js";

it("lets an address wait from its last allowed failure to the end of the minute that began with the first", () => {
  let now = 1000;
  const failed = new FailedKeys(3, () => now);
  failed.add("a");
  now += 10_000;
  failed.add("a");
  expect(failed.waitMs("a")).toBe(0);
  failed.add("a");
  expect(failed.waitMs("a")).toBe(50_000);
  expect(failed.waitMs("b")).toBe(0);
  now += 50_000;
  expect(failed.waitMs("a")).toBe(0);
  failed.add("a");
  expect(failed.waitMs("a")).toBe(0);
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
