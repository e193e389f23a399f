import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { makeFolder } from "./make-folder.js";

async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "rhone-folder-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe("makeFolder", () => {
  it("creates the folders above too, all with the mode", async () => {
    const root = await scratchFolder();
    await makeFolder(join(root, "a", "b"), 0o700);
    for (const folder of ["a", "a/b"]) expect((await stat(join(root, folder))).mode & 0o777, folder).toBe(0o700);
  });

  it("leaves a folder that exists as it is", async () => {
    const root = await scratchFolder();
    await makeFolder(join(root, "a"), 0o700);
    await makeFolder(join(root, "a"), 0o755);
    expect((await stat(join(root, "a"))).mode & 0o777).toBe(0o700);
  });

  it("may run twice at the same time", async () => {
    const folder = join(await scratchFolder(), "a", "b");
    await Promise.all([makeFolder(folder), makeFolder(folder)]);
    expect((await stat(folder)).isDirectory()).toBe(true);
  });

  it.each([
    ["a file", "EEXIST", ""],
    ["a path below a file", "ENOTDIR", "/a"],
  ])("refuses %s", async (_, code, below) => {
    const file = join(await scratchFolder(), "file");
    await writeFile(file, "");
    await expect(makeFolder(file + below)).rejects.toMatchObject({ code });
  });

  it.runIf(process.platform === "linux")("refuses a folder in /proc instead of trying for ever", async () => {
    await expect(makeFolder("/proc/rhone/storage")).rejects.toMatchObject({ code: "ENOENT" });
  });
});
