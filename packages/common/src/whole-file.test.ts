import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { createFile, removeLeft, replaceFile } from "./whole-file.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rhone-whole-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
});

test("of many that create a file one does, and nobody sees a part of it", async () => {
  const path = join(folder, "a");
  const contents = Array.from({ length: 10 }, (_, index) => `${index}`.repeat(5000));
  const created = await Promise.all(contents.map((content) => createFile(path, content)));
  expect(created.filter(Boolean)).toHaveLength(1);
  expect(await readFile(path, "utf8")).toBe(contents[created.indexOf(true)]);
  expect(await createFile(path, "later")).toBe(false);
  expect(await readdir(folder)).toEqual(["a"]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("a file is replaced, and nothing is left beside it", async () => {
  const path = join(folder, "a");
  await replaceFile(path, "old");
  await replaceFile(path, "new");
  expect(await readFile(path, "utf8")).toBe("new");
  expect(await readdir(folder)).toEqual(["a"]);
});

test("what can't take its place leaves nothing behind", async () => {
  const path = join(folder, "a");
  await mkdir(path);
  await expect(replaceFile(path, "a folder is there")).rejects.toMatchObject({ code: "EISDIR" });
  expect(await readdir(folder)).toEqual(["a"]);
});

test("of many that take the place of a process that is gone, one does", async () => {
  for (let round = 0; round < 20; round++) {
    const path = join(folder, `${round}`);
    await writeFile(path, "gone");
    const isLeft = async () => (await readFile(path, "utf8").catch(() => "gone")) === "gone";
    const take = async (): Promise<boolean> => {
      if (await isLeft()) await removeLeft(path, isLeft);
      return createFile(path, "here");
    };
    const taken = await Promise.all(Array.from({ length: 8 }, take));
    expect(taken.filter(Boolean)).toHaveLength(1);
  }
});

test("what took the place meanwhile stays", async () => {
  const path = join(folder, "a");
  const isLeft = async (): Promise<boolean> => {
    await rm(path, { force: true });
    return createFile(path, "here");
  };
  await removeLeft(path, isLeft);
  await writeFile(path, "left");
  await removeLeft(path, isLeft);
  expect(await readFile(path, "utf8")).toBe("here");
});

test("a turn that was left, too, ends", async () => {
  const path = join(folder, "a");
  await writeFile(path, "gone");
  await writeFile(`${path}.turn`, "");
  const remove = () => removeLeft(path, async () => true);
  await remove();
  expect(await readdir(folder)).toContain("a");
  const longAgo = new Date(Date.now() - 60_000);
  await utimes(`${path}.turn`, longAgo, longAgo);
  await remove();
  await remove();
  expect(await readdir(folder)).toEqual([]);
});
