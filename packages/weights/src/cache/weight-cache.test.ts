import { open, readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openCache } from "../testing/weights-scene.js";
import { writeBytes } from "./cached-model.js";
import type { WeightCache } from "./weight-cache.js";

const MiB = 2 ** 20;
const print = (digit: string): string => digit.repeat(64);

/** A model of 1 MiB that was used `minutesAgo`. */
async function add(cache: WeightCache, digit: string, minutesAgo: number) {
  const entry = await cache.open(print(digit));
  await entry.layOut({ number: 0, of: 1, bytes: 4 * MiB }, new Uint8Array(MiB).fill(1));
  entry.close();
  const at = new Date(Date.now() - minutesAgo * 60_000);
  await utimes(entry.folder, at, at);
}

test("the models that were used longest ago make room, and no more of them than needed", async () => {
  const cache = await openCache({ mostBytes: 3.5 * MiB });
  await add(cache, "a", 1);
  await add(cache, "b", 3);
  await add(cache, "c", 2);
  await cache.makeRoom(MiB);
  expect((await readdir(cache.folder)).sort()).toEqual([print("a"), print("c")]);
});

test("a model in use is never removed: DISK_FULL, with the numbers and the setting", async () => {
  const cache = await openCache({ mostBytes: 1.5 * MiB });
  await add(cache, "a", 1);
  const used = await cache.open(print("a"));
  onTestFinished(() => used.close());
  await expect(cache.makeRoom(MiB)).rejects.toMatchObject({
    code: "DISK_FULL",
    message: expect.stringMatching(/no room for 1048576 bytes of weights: models in use take \d+ of the 1572864 bytes/),
  });
  expect(await readdir(cache.folder)).toEqual([print("a")]);
  used.close();
  await cache.makeRoom(MiB);
  expect(await readdir(cache.folder)).toEqual([]);
});

test("models make room on a disk that is nearly full, too", async () => {
  let free = 0.5 * MiB;
  const cache = await openCache({ freeBytes: async () => free });
  await add(cache, "a", 1);
  const room = cache.makeRoom(MiB);
  free = 2 * MiB;
  await room;
  await cache.makeRoom(2 * MiB);
});

test("a process that is gone uses nothing, and claims nothing", async () => {
  const cache = await openCache({ mostBytes: 1.5 * MiB });
  await add(cache, "a", 1);
  const entry = await cache.open(print("a"));
  const gone = JSON.stringify([(await import("node:os")).hostname(), 2 ** 22 + 1]);
  const handle = await open(join(entry.folder, "claim-t"), "w");
  await handle.writeFile(gone);
  await handle.close();
  expect(await entry.claim("t")).toBe(true);
  expect(await entry.claim("t")).toBe(false);
  entry.letGo("t");
  expect(await entry.claim("t")).toBe(true);
  entry.close();
  expect((await readdir(entry.folder)).filter((name) => /^(user|claim)-/.test(name))).toEqual([]);
});

test("what is no SHA-256 names no folder", async () => {
  const cache = await openCache();
  await expect(cache.open("../../etc")).rejects.toMatchObject({ code: "INVALID_REQUEST" });
});

test("a write to a full disk fails as DISK_FULL and names the file", async (context) => {
  const handle = await open("/dev/full", "r+").catch(() => context.skip("there is no /dev/full"));
  onTestFinished(() => handle.close());
  await expect(writeBytes(handle, new Uint8Array(10), { path: "/dev/full", position: 0 })).rejects.toMatchObject({
    code: "DISK_FULL",
    message: "The disk is full: /dev/full can't be written. Free some space.",
  });
});
