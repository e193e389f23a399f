import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { scratchFolder } from "../testing/scratch-folder.js";
import { withPullLock } from "./pull-lock.js";

describe("a pull's lock", () => {
  test("names its owner while the work goes on, and is gone afterwards, whatever came of it", async () => {
    const folder = await scratchFolder();
    const path = join(folder, "x.gguf");
    const owner = await withPullLock(path, () => readFile(`${path}.lock`, "utf8"));
    expect(owner).toBe(String(process.pid));
    const failure = new Error("no network");
    await expect(withPullLock(path, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await readdir(folder)).toEqual([]);
  });

  test("keeps a second pull of the same file out, and none of another file", async () => {
    const folder = await scratchFolder();
    const [path, other] = [join(folder, "x.gguf"), join(folder, "y.gguf")];
    const inner = withPullLock(path, async () => {
      await expect(withPullLock(path, async () => "second")).rejects.toMatchObject({
        code: "ALREADY_RUNNING",
        message: `Process ${process.pid} is already pulling ${path}; wait for it or stop it.`,
      });
      return withPullLock(other, async () => "other");
    });
    expect(await inner).toBe("other");
  });

  test.each([
    ["a dead process", "999999999"],
    ["nobody", ""],
    ["something else", "hello"],
  ])("of %s is taken over", async (_, owner) => {
    const path = join(await scratchFolder(), "x.gguf");
    await writeFile(`${path}.lock`, owner);
    expect(await withPullLock(path, async () => "done")).toBe("done");
  });
});
