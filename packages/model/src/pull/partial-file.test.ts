import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { scratchFolder } from "../testing/scratch-folder.js";
import { PartialFile } from "./partial-file.js";

/** A partial file in a folder of its own, with what an earlier pull left. */
async function openAfter(left: { readonly bytes?: string; readonly etag?: string } = {}) {
  const folder = await scratchFolder();
  const path = join(folder, "x.gguf");
  if (left.bytes !== undefined) await writeFile(`${path}.partial`, left.bytes);
  if (left.etag !== undefined) await writeFile(`${path}.partial.etag`, left.etag);
  const file = await PartialFile.open(path);
  onTestFinished(() => file.suspend());
  return { folder, file, content: () => readFile(`${path}.partial`, "utf8") };
}

describe("a partial file", () => {
  test.each([
    ["nothing", {}, { bytes: 0, resumeFrom: 0 }],
    ["bytes with their ETag", { bytes: "abc", etag: "e1" }, { bytes: 3, resumeFrom: 3 }],
    ["bytes of unknown content", { bytes: "abc" }, { bytes: 0, resumeFrom: 0 }],
    ["an ETag without bytes", { etag: "e1" }, { bytes: 0, resumeFrom: 0 }],
  ])("after %s continues where it may", async (_, left, expected) => {
    const { file } = await openAfter(left);
    expect({ bytes: file.bytes, resumeFrom: file.resumeFrom }).toEqual(expected);
  });

  test.each([
    ["the same content", { bytes: "abc", etag: "e1" }, "e1", true],
    ["another content", { bytes: "abc", etag: "e1" }, "e2", false],
    ["content without a name", { bytes: "abc", etag: "e1" }, undefined, false],
    ["any content, while it is empty", {}, "e2", true],
  ])("belongs to %s: %s, %s", async (_, left, etag, expected) => {
    expect((await openAfter(left)).file.belongsTo(etag)).toBe(expected);
  });

  test("appends, and counts what it holds", async () => {
    const { file, content } = await openAfter({ bytes: "abc", etag: "e1" });
    await file.append(Buffer.from("de"));
    await file.append(Buffer.from("f"));
    expect([file.bytes, await content()]).toEqual([6, "abcdef"]);
  });

  test("starts again with another content", async () => {
    const { file, folder, content } = await openAfter({ bytes: "abc", etag: "e1" });
    await file.restart("e2");
    await file.append(Buffer.from("xy"));
    expect([file.bytes, file.resumeFrom, await content()]).toEqual([2, 2, "xy"]);
    expect(await readFile(join(folder, "x.gguf.partial.etag"), "utf8")).toBe("e2");
    await file.restart(undefined);
    expect(await readdir(folder)).toEqual(["x.gguf.partial"]);
    expect(file.resumeFrom).toBe(0);
  });

  test("knows whether the disk can take the rest", async () => {
    const { file } = await openAfter({ bytes: "abc", etag: "e1" });
    await file.checkSpace(1000);
    await expect(file.checkSpace(2 ** 52)).rejects.toMatchObject({
      code: "DISK_FULL",
      message: expect.stringMatching(new RegExp(`has \\d+ bytes free, but ${2 ** 52 - 3} more are needed`)),
    });
  });

  test("leaves nothing once it is removed, and everything while it is suspended", async () => {
    const { file, folder } = await openAfter({ bytes: "abc", etag: "e1" });
    await file.suspend();
    await file.suspend();
    expect((await readdir(folder)).toSorted()).toEqual(["x.gguf.partial", "x.gguf.partial.etag"]);
    await file.remove();
    expect(await readdir(folder)).toEqual([]);
  });
});
