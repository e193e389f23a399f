import { describe, expect, it } from "vitest";
import { FileQuota, type FileRoom } from "./file-quota.js";

/** A store whose owners have what `add` gave them; each may have 3 files of 10 bytes together. */
function quota() {
  const stored: { readonly owner: string; readonly id: string; readonly bytes: number }[] = [];
  const known = async (owner: string) =>
    stored.filter((file) => file.owner === owner).map((file) => ({ ...file, purpose: "batch", expiresAt: null }));
  const add = (owner: string, bytes: number, id = `${stored.length}`) => stored.push({ owner, id, bytes });
  return { add, quota: new FileQuota({ known }, { files: 3, bytes: 10 }) };
}

const arrive = (room: FileRoom, bytes: number, id = "arriving"): void => {
  room.file = { id, bytes };
  room.refuseMore();
};
const refused = (text: string) => ({ code: "FILE_LIMIT_EXCEEDED", message: expect.stringContaining(text) });
const nothing = async () => "stored";

describe("the files of an owner", () => {
  it("may be as many as the bound, and no more; another owner's do not count", async () => {
    const { quota: bounds, add } = quota();
    for (const owner of ["a", "a", "b"]) add(owner, 1);
    expect(await bounds.within("a", nothing)).toBe("stored");
    add("a", 1);
    await expect(bounds.within("a", nothing)).rejects.toMatchObject(refused("would have 4 files, 3 at most"));
    await expect(bounds.within("a", nothing)).rejects.toMatchObject(refused("Delete files"));
    expect(await bounds.within("b", nothing)).toBe("stored");
  });

  it("may have as many bytes as the bound", async () => {
    const { quota: bounds, add } = quota();
    add("a", 4);
    expect(await bounds.within("a", async (room) => arrive(room, 6))).toBeUndefined();
    const tooMuch = bounds.within("a", async (room) => [3, 6, 7].forEach((bytes) => void arrive(room, bytes)));
    await expect(tooMuch).rejects.toMatchObject(refused("files of 11 bytes together, 10 at most"));
  });

  it("count while they arrive, until they are stored or discarded", async () => {
    const { quota: bounds } = quota();
    let [end, begun] = [() => {}, 0];
    const ending = new Promise<void>((resolve) => {
      end = resolve;
    });
    const arriving = [1, 2, 3].map((bytes) =>
      bounds.within("a", async (room) => {
        arrive(room, bytes);
        begun++;
        await ending;
        throw new Error("discarded");
      }),
    );
    await expect.poll(() => begun).toBe(3);
    await expect(bounds.within("a", nothing)).rejects.toMatchObject(refused("4 files"));
    end();
    for (const each of arriving) await expect(each).rejects.toThrow("discarded");
    expect(await bounds.within("a", async (room) => arrive(room, 10))).toBeUndefined();
  });

  it("are counted again before one is committed: another gateway may have stored some", async () => {
    const { quota: bounds, add } = quota();
    const stored = bounds.within("a", async (room) => {
      arrive(room, 5);
      add("a", 6);
      await room.check();
    });
    await expect(stored).rejects.toMatchObject(refused("11 bytes"));
  });

  it("count once while they are committed", async () => {
    const { quota: bounds, add } = quota();
    for (const bytes of [1, 1]) add("a", bytes);
    const stored = bounds.within("a", async (room) => {
      arrive(room, 8, "new");
      add("a", 8, "new");
      await room.check();
    });
    await expect(stored).resolves.toBeUndefined();
  });

  it.each([
    [1, 9, true],
    [1, 10, false],
    [3, 3, false],
  ])("of which there are %d with %d bytes leave room for a batch's results: %s", async (files, bytes, hasRoom) => {
    const { quota: bounds, add } = quota();
    for (let i = 0; i < files; i++) add("", bytes / files);
    const refusal = bounds.refuseFull("");
    if (hasRoom) await expect(refusal).resolves.toBeUndefined();
    else await expect(refusal).rejects.toMatchObject(refused("Clients without API keys would have"));
  });
});
