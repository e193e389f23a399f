import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sha256 } from "../testing/file-server.js";
import { scratchFolder } from "../testing/scratch-folder.js";
import type { PullProgress } from "./pull-options.js";
import { verifyFile } from "./verify-file.js";

const content = Buffer.alloc((1 << 20) + 5, 7);

async function verify(expected: { readonly bytes?: number; readonly sha256?: string }) {
  const path = join(await scratchFolder(), "x.gguf");
  await writeFile(path, content);
  const seen: PullProgress[] = [];
  await verifyFile(path, { bytes: undefined, sha256: undefined, ...expected }, (progress) => seen.push(progress));
  return seen;
}

test("a file is read back piece by piece, and told of", async () => {
  const seen = await verify({ bytes: content.length, sha256: sha256(content) });
  expect(seen).toEqual([
    { phase: "verify", bytes: 1 << 20, totalBytes: content.length },
    { phase: "verify", bytes: content.length, totalBytes: content.length },
  ]);
});

test("a file of unknown checksum is not read", async () => {
  expect(await verify({ bytes: content.length })).toEqual([]);
  expect(await verify({})).toEqual([]);
});

test.each([
  ["size", { bytes: 5 }, `has ${content.length} bytes, but should have 5; pull it again.`],
  [
    "checksum",
    { sha256: "0".repeat(64) },
    `but should have ${"0".repeat(64)}; it was damaged in transit: pull it again.`,
  ],
])("a file of another %s is refused with both", async (_, expected, message) => {
  await expect(verify(expected)).rejects.toMatchObject({
    code: "CHECKSUM_MISMATCH",
    message: expect.stringContaining(message),
  });
});
