import { describe, expect, onTestFinished, test, vi } from "vitest";
import { STORAGES } from "../testing/test-storages.js";
import { OwnedNames } from "./owned-names.js";

describe.each(STORAGES)("names of what owners have $place", ({ open }) => {
  /** Things are numbers; an even one is one owner's, an odd one another's. */
  async function numbers(things: readonly number[] = []) {
    const storage = await open();
    onTestFinished(() => storage.close());
    const named = (id: string) => ({ owner: Number(id) % 2 === 0 ? "even" : "odd", name: `${id}.x` });
    const nameOf = vi.fn(async (id: string) => named(id));
    const names = new OwnedNames(storage, { kind: "files", ids: async () => things.map(String), nameOf });
    return { storage, names, named, nameOf };
  }

  test("are listed newest first, each owner's alone", async () => {
    const { names, named } = await numbers([1, 2, 3, 4]);
    for (const id of ["2", "4", "1", "3"]) await names.add(named(id));
    expect([await names.all("even"), await names.all("odd"), await names.all("")]).toEqual([
      ["4.x", "2.x"],
      ["3.x", "1.x"],
      [],
    ]);
  });

  test("are gone once they are removed, and those of owners that differ by case stay apart", async () => {
    const { names } = await numbers([1]);
    for (const owner of ["team", "TEAM", ""]) await names.add({ owner, name: "1" });
    await names.remove({ owner: "team", name: "1" });
    expect([await names.known("team"), await names.known("TEAM"), await names.known("")]).toEqual([[], ["1"], ["1"]]);
  });

  test("are added where they are missing, before the first list; only those things are read", async () => {
    const { names, named, nameOf } = await numbers([1, 2, 3, 4, 5]);
    for (const id of ["1", "2"]) await names.add(named(id));
    expect(await names.known("odd")).toEqual(["1.x"]);
    expect(await names.all("odd")).toEqual(["5.x", "3.x", "1.x"]);
    expect(nameOf.mock.calls.flat()).toEqual(["3", "4", "5"]);
  });

  test("are mended: one of a thing that is gone, and one that is no longer right", async () => {
    const { names } = await numbers([2]);
    for (const name of ["2.x", "2.old", "6.x"]) await names.add({ owner: "even", name });
    await names.mend();
    expect(await names.known("even")).toEqual(["2.x"]);
  });

  test("of a thing that can't be read stay as they are", async () => {
    const { names, nameOf } = await numbers([2, 4]);
    nameOf.mockResolvedValue(null as never);
    await names.add({ owner: "even", name: "2.old" });
    await names.add({ owner: "even", name: "2.older" });
    expect(await names.all("even")).toEqual(["2.older", "2.old"]);
  });

  test("are mended again after a failure", async () => {
    const { names, nameOf } = await numbers([2]);
    nameOf.mockRejectedValueOnce(new Error("no bucket"));
    await expect(names.all("even")).rejects.toThrow("no bucket");
    expect(await names.all("even")).toEqual(["2.x"]);
  });
});
