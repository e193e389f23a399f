// The thread is a compiled file: this test uses the package as its users do.
import { appendFile } from "node:fs/promises";
import { HashThread, TensorHashes } from "@rhone/weights";
import { expect, onTestFinished, test, vi } from "vitest";
import { scratchFolder } from "../../../model/src/testing/scratch-folder.js";
import { testThread, writeModel } from "../testing/weights-scene.js";

const NAME = "blk.1.ffn_up.weight";

test("hashes are computed once in a thread, and kept for as long as the file is the same", async () => {
  const file = await writeModel();
  const info = file.tensors.get(NAME);
  if (info === undefined) throw new Error("no tensor");
  const thread = new HashThread();
  onTestFinished(() => thread.close());
  const hash = vi.spyOn(thread, "hash");
  const folder = await scratchFolder();
  const hashes = await TensorHashes.open({ file, thread, folder });
  const expected = await testThread.hash("", info);
  expect(await Promise.all([hashes.of("a", NAME), hashes.of("b", NAME)])).toEqual([expected, expected]);
  expect(hash).toHaveBeenCalledTimes(1);

  const later = await TensorHashes.open({ file, thread, folder });
  expect(await later.of("c", NAME)).toBe(expected);
  expect(hash).toHaveBeenCalledTimes(1);

  await appendFile(file.path, "x");
  const changed = await TensorHashes.open({ file, thread, folder });
  expect(await changed.of("d", NAME)).toBe(expected);
  expect(hash).toHaveBeenCalledTimes(2);
});

test("a file that was changed in use is not vouched for", async () => {
  const file = await writeModel();
  const hashes = await TensorHashes.open({ file, thread: testThread, folder: null });
  await appendFile(file.path, "x");
  await expect(hashes.of("a", NAME)).rejects.toMatchObject({ code: "MODEL_MISMATCH" });
});

test("a folder that can't be written to is done without", async () => {
  const file = await writeModel();
  const hashes = await TensorHashes.open({ file, thread: testThread, folder: "/dev/null/weights" });
  expect(await hashes.of("a", NAME)).toMatch(/^[0-9a-f]{64}$/);
  await expect(hashes.of("a", "no.such")).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("a thread names a file that has become shorter, or is gone", async () => {
  const file = await writeModel();
  const thread = new HashThread();
  onTestFinished(() => thread.close());
  const beyond = { path: file.path, offset: file.fileBytes - 5, bytes: 10 };
  await expect(thread.hash("a", beyond)).rejects.toMatchObject({ code: "GGUF_TRUNCATED" });
  await expect(thread.hash("a", { ...beyond, path: "/nowhere" })).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
});
