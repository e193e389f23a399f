import { expect, test } from "vitest";
import { lockedClosure } from "./locked-packages.mjs";

const packages = {
  "": { name: "root" },
  "node_modules/a": {
    version: "1.0.0",
    dependencies: { b: "^1.0.0" },
    optionalDependencies: { native: "1.0.0", gone: "1" },
  },
  "node_modules/a/node_modules/b": { version: "1.2.0", dependencies: { c: "*" } },
  "node_modules/b": { version: "2.0.0" },
  "node_modules/c": { version: "3.0.0", dev: true, dependencies: { b: "^2.0.0" } },
  "node_modules/native": { version: "1.0.0", optional: true, os: ["aix"] },
  "node_modules/unused": { version: "1.0.0" },
};

test("follows dependencies as Node finds them: the nearest first", () => {
  expect(Object.keys(lockedClosure(packages, ["a"]))).toEqual([
    "node_modules/a",
    "node_modules/a/node_modules/b",
    "node_modules/b",
    "node_modules/c",
    "node_modules/native",
  ]);
});

test("keeps what is for other platforms, and calls nothing a development dependency", () => {
  const found = lockedClosure(packages, ["a"]);
  expect(found["node_modules/native"]).toEqual(packages["node_modules/native"]);
  expect(found["node_modules/c"]).not.toHaveProperty("dev");
});

test("refuses a package that is not locked", () => {
  expect(() => lockedClosure(packages, ["d"])).toThrow("package-lock.json has no d, which the package needs.");
});
