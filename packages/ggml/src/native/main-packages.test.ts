import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MAIN_PACKAGES } from "./main-packages.js";

const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
const { optionalDependencies } = read("../../package.json");
const { packages } = read("../../../../package-lock.json");

// npm skips an optional package that its registry lacks without a word, and locks it without an integrity then.
test.each(Object.entries(MAIN_PACKAGES))("the package of %s exists in the pinned version", (_, { name }) => {
  const pinned = optionalDependencies[`@node-llama-cpp/${name}`];
  expect(packages[`node_modules/@node-llama-cpp/${name}`]).toMatchObject({
    version: pinned,
    integrity: expect.stringMatching(/^sha512-/),
  });
});

test("a package of the same version has the same ggml", () => {
  const releases = Object.values(MAIN_PACKAGES).map(
    ({ name, ggml }) => `${optionalDependencies[`@node-llama-cpp/${name}`]} ${ggml}`,
  );
  expect(new Set(releases)).toEqual(new Set(["3.22.1 0.25.1", "3.21.1 0.23.0"]));
});
