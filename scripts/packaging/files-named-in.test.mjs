import { expect, test } from "vitest";
import { filesNamedIn } from "./files-named-in.mjs";

test("a thread beside its module and a folder above it are named from the root, once", () => {
  const code = `
    new Worker(new URL("./hash-thread-main.js", new URL("../../../packages/weights/dist/files/hash.js", import.meta.url).href));
    new Worker(new URL("./hash-thread-main.js", new URL("../../../packages/weights/dist/files/hash.js", import.meta.url).href));
    const PACKAGE = fileURLToPath(new URL("../..", new URL("../../../packages/kernels/dist/library/find.js", import.meta.url).href));
    createRequire(new URL("../../../packages/ggml/dist/find.js", import.meta.url).href);`;
  expect(filesNamedIn(code, "services/gateway/dist")).toEqual([
    "packages/weights/dist/files/hash-thread-main.js",
    "packages/kernels",
  ]);
});
