import { open, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { scratchFolder } from "../testing/scratch-folder.js";
import { readTensorBytes } from "./read-tensor-bytes.js";

async function fileOf(length: number) {
  const path = join(await scratchFolder(), "data");
  await writeFile(
    path,
    Uint8Array.from({ length }, (_, i) => i),
  );
  const handle = await open(path);
  onTestFinished(() => handle.close());
  return { path, handle };
}

const tensor = (offset: number, bytes: number) => ({ name: "a", offset, bytes });

describe("readTensorBytes", () => {
  test("reads a tensor's bytes and no others", async () => {
    const { handle } = await fileOf(20);
    expect([...(await readTensorBytes(handle, tensor(4, 8)))]).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test("fills the front of a buffer that is given, and returns that part of it", async () => {
    const { handle } = await fileOf(20);
    const buffer = new Uint8Array(12).fill(99);
    const filled = await readTensorBytes(handle, tensor(16, 4), buffer);
    expect([...filled]).toEqual([16, 17, 18, 19]);
    expect(filled.buffer).toBe(buffer.buffer);
    expect([...buffer.subarray(4)]).toEqual(new Array(8).fill(99));
  });

  test("refuses a buffer that is too small", async () => {
    const { handle } = await fileOf(20);
    await expect(readTensorBytes(handle, tensor(0, 8), new Uint8Array(7))).rejects.toMatchObject({
      code: "INTERNAL",
      message: "a has 8 bytes, but the buffer only 7.",
    });
  });

  test("names the byte where a file ends that became shorter", async () => {
    const { path, handle } = await fileOf(20);
    await truncate(path, 10);
    await expect(readTensorBytes(handle, tensor(4, 8))).rejects.toMatchObject({
      code: "GGUF_TRUNCATED",
      message: "The model file ends inside a, at byte 10; fetch it again.",
    });
  });
});
