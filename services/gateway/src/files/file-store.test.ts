import { text as textOf } from "node:stream/consumers";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { STORAGES } from "../testing/test-storages.js";
import { FileStore } from "./file-store.js";

const about = { filename: "in.jsonl", purpose: "batch", kind: "request", createdAt: 1, expiresAt: null } as const;
const HOUR_MS = 3600_000;

describe.each(STORAGES)("files $place", ({ open }) => {
  async function store() {
    const storage = await open();
    onTestFinished(() => storage.close());
    return { storage, files: new FileStore(storage) };
  }

  async function put(
    files: FileStore,
    text: string,
    changes: { readonly id?: string; readonly expiresAt?: number; readonly owner?: string } = {},
  ) {
    const { owner = "", expiresAt = null } = changes;
    const unfinished = await files.create(changes.id);
    for (const piece of text.match(/.{1,3}/gs) ?? []) await unfinished.write(Buffer.from(piece));
    return files.commit(unfinished, { ...about, expiresAt, owner });
  }

  test.each([
    ["", 0],
    ["a", 1],
    ["a\n", 1],
    ["a\nb", 2],
    ["a\n\nb\n", 3],
  ])("%j has %d lines, and is read as it was written", async (text, lines) => {
    const { files } = await store();
    const { id, bytes } = await put(files, text);
    expect(await files.get(id)).toMatchObject({ lines, bytes: text.length, filename: "in.jsonl" });
    expect([bytes, await textOf(await files.read(id))]).toEqual([text.length, text]);
  });

  test("an unfinished file has no record, and one that is discarded leaves nothing", async () => {
    const { storage, files } = await store();
    const unfinished = await files.create();
    await unfinished.write(Buffer.from("a"));
    await expect(files.get(unfinished.id)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await unfinished.discard();
    await expect.poll(() => storage.list("files")).toEqual([]);
  });

  test("a file that is written again has its new bytes", async () => {
    const { files } = await store();
    const { id } = await put(files, "old");
    await put(files, "newer", { id });
    expect(await textOf(await files.read(id))).toBe("newer");
    expect((await files.entries("")).map(({ id }) => id)).toEqual([id]);
  });

  test("ids are listed newest first", async () => {
    const { files } = await store();
    const [first, second] = [`file-${"0".repeat(23)}1`, `file-${"0".repeat(23)}2`];
    for (const id of [second, first]) await put(files, "a", { id });
    expect((await files.entries("")).map(({ id }) => id)).toEqual([second, first]);
  });

  test("those of an owner are known by their names, and no other owner's record is read", async () => {
    const { storage, files } = await store();
    const theirs = await put(files, "theirs", { owner: "theirs" });
    const mine = await put(files, "mine", { owner: "Mine", expiresAt: 9_999_999_999 });
    const get = vi.spyOn(storage, "get");
    const entry = { id: mine.id, purpose: "batch", bytes: 4, expiresAt: 9_999_999_999 };
    expect(await files.entries("Mine")).toEqual([entry]);
    expect(await files.entries("mine")).toEqual([]);
    expect(await files.getAll([mine.id], { owner: "Mine" })).toEqual([mine]);
    expect(get.mock.calls.flat().join()).not.toContain(theirs.id);
  });

  test("files of an earlier release are listed as soon as a later one is asked", async () => {
    const { storage, files } = await store();
    const old = await put(files, "old", { owner: "team" });
    for (const name of await storage.list("owners")) {
      for (const file of await storage.list(`owners/${name}/files`))
        await storage.delete(`owners/${name}/files/${file}`);
    }
    expect((await new FileStore(storage).entries("team")).map(({ id }) => id)).toEqual([old.id]);
  });

  test.each(["../secret", "file-1", ""])("%j is no file, and no key of the storage", async (id) => {
    const { storage, files } = await store();
    const get = vi.spyOn(storage, "get");
    await expect(files.get(id)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(get).not.toHaveBeenCalled();
  });

  test("a deleted file is gone, record and bytes", async () => {
    const { storage, files } = await store();
    const { id } = await put(files, "a");
    await files.delete(id);
    await expect(files.read(id)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(files.delete(id)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await storage.list("files")).toEqual([]);
    expect(await files.entries("")).toEqual([]);
  });

  test("an expired file is not found, and cleaning removes it; the others stay", async () => {
    const { storage, files } = await store();
    const expired = await put(files, "a", { expiresAt: 5 });
    const kept = await put(files, "b", { expiresAt: Math.floor(Date.now() / 1000) + 3600 });
    await expect(files.get(expired.id)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await files.clean();
    expect((await files.entries("")).map(({ id }) => id)).toEqual([kept.id]);
    expect((await storage.list("files")).toSorted()).toEqual([kept.content, `${kept.id}.json`].toSorted());
  });

  test("bytes that no record names are removed after a day, not before", async () => {
    const { storage, files } = await store();
    await storage.put("files/abandoned-1", "x");
    await files.clean(Date.now() + HOUR_MS);
    expect(await storage.list("files")).toEqual(["abandoned-1"]);
    await files.clean(Date.now() + 25 * HOUR_MS);
    expect(await storage.list("files")).toEqual([]);
  });

  test("a record of another version is a named error, and its file survives deletion and cleaning", async () => {
    const { storage, files } = await store();
    const { id, content } = await put(files, "a", { expiresAt: 5 });
    const expired = await put(files, "b", { expiresAt: 5 });
    const record = (await storage.get(`files/${id}.json`))?.toString() ?? "";
    await storage.put(`files/${id}.json`, record.replace("{", '{"version":2,'));
    const message = expect.stringContaining(`files/${id}.json was written by another version`);
    for (const call of ["get", "read", "delete"] as const) {
      await expect(files[call](id)).rejects.toMatchObject({ code: "RECORD_UNREADABLE", message });
    }
    await files.clean(Date.now() + 25 * HOUR_MS);
    expect((await storage.list("files")).toSorted()).toEqual([content, `${id}.json`].toSorted());
    expect((await files.entries("")).map(({ id }) => id)).not.toContain(expired.id);
  });
});
