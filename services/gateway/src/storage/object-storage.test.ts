import { buffer, text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { STORAGES } from "../testing/test-storages.js";

const LATER = Date.now() + 3600_000;

describe.each(STORAGES)("$place", ({ open }) => {
  test("an object is what was put there last, until it is deleted", async () => {
    const storage = await open();
    expect(await storage.get("a/one")).toBeNull();
    await storage.put("a/one", "first");
    await storage.put("a/one", "größer");
    expect((await storage.get("a/one"))?.toString()).toBe("größer");
    expect(await storage.writtenAtMs("a/one")).toBeGreaterThan(Date.now() - 60_000);
    await storage.delete("a/one");
    await storage.delete("a/one");
    expect([await storage.get("a/one"), await storage.writtenAtMs("a/one")]).toEqual([null, null]);
  });

  test("a folder lists its objects and folders, not what is deeper", async () => {
    const storage = await open();
    const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for (const name of names) await storage.put(`x/${name}`, name);
    await storage.put("x/deep/er", "x");
    await storage.put("y", "x");
    expect([...(await storage.list("x"))].sort()).toEqual(["a", "b", "c", "d", "deep", "e", "f", "g", "h"].sort());
    expect(await storage.list("nothing")).toEqual([]);
  });

  test.each([0, 1, 4 << 20, (4 << 20) + 1, 20 << 20])(
    "an upload of %d bytes is there whole, and only at its end",
    async (size) => {
      const storage = await open();
      const bytes = Buffer.alloc(size, "0123456789abcdefg");
      const upload = await storage.upload("x/file");
      for (let at = 0; at < size; at += 1 << 20) await upload.write(bytes.subarray(at, at + (1 << 20)));
      expect(await storage.list("x")).toEqual([]);
      await upload.finish();
      expect(await storage.list("x")).toEqual(["file"]);
      expect(bytes.equals(await buffer(storage.read("x/file")))).toBe(true);
    },
  );

  test("an upload that is given up leaves nothing", async () => {
    const storage = await open();
    const upload = await storage.upload("x/file");
    await upload.write(Buffer.alloc(20 << 20));
    await upload.abort();
    await storage.removeUnfinished("x", LATER);
    expect(await storage.list("x")).toEqual([]);
  });

  test("an object that is not there can't be read", async () => {
    await expect(text((await open()).read("x/none"))).rejects.toThrow();
  });

  test("a log's lines are kept in order under names that begin with its own", async () => {
    const storage = await open();
    const log = await storage.openLog("x/log-1");
    await log.append("one");
    await log.sync();
    await Promise.all([log.append("two"), log.append("three")]);
    await log.close();
    const names = [...(await storage.list("x"))].sort();
    expect(names.every((name) => name.startsWith("log-1"))).toBe(true);
    const texts = await Promise.all(names.map((name) => text(storage.read(`x/${name}`))));
    expect(texts.join("")).toBe("one\ntwo\nthree\n");
  });
});
