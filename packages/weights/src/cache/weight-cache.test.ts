import { open, readdir, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openCache } from "../testing/weights-scene.js";
import { writeBytes } from "./cached-model.js";
import { Holds } from "./hold.js";
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

/** A model that is about to be fetched. */
async function begin(cache: WeightCache, digit = "f") {
  const entry = await cache.open(print(digit));
  onTestFinished(() => entry.close());
  return entry;
}

const modelsIn = async ({ folder }: WeightCache) => (await readdir(folder)).sort();

test("the models that were used longest ago make room, and no more of them than needed", async () => {
  const cache = await openCache({ mostBytes: 3.5 * MiB });
  await add(cache, "a", 1);
  await add(cache, "b", 3);
  await add(cache, "c", 2);
  await cache.makeRoom(MiB, await begin(cache));
  expect(await modelsIn(cache)).toEqual([print("a"), print("c"), print("f")]);
});

test("a model in use is never removed: DISK_FULL, with the numbers and the setting", async () => {
  const cache = await openCache({ mostBytes: 1.5 * MiB });
  await add(cache, "a", 1);
  const used = await cache.open(print("a"));
  const next = await begin(cache);
  await expect(cache.makeRoom(MiB, next)).rejects.toMatchObject({
    code: "DISK_FULL",
    message: expect.stringMatching(/no room for 1048576 bytes of weights: models in use take \d+ of the 1572864 bytes/),
  });
  expect(await modelsIn(cache)).toEqual([print("a"), print("f")]);
  used.close();
  await cache.makeRoom(MiB, next);
  expect(await modelsIn(cache)).toEqual([print("f")]);
});

test("models make room on a disk that is nearly full, too", async () => {
  const cache: WeightCache = await openCache({
    freeBytes: async () => 2 * MiB - MiB * (await modelsIn(cache)).filter((name) => name === print("a")).length,
  });
  await add(cache, "a", 1);
  const next = await begin(cache);
  await cache.makeRoom(MiB, next);
  expect(await modelsIn(cache)).toEqual([print("a"), print("f")]);
  await expect(cache.makeRoom(2 * MiB, next)).rejects.toMatchObject({
    message: expect.stringMatching(/weights: its disk has 2097152 bytes free, of which .* being fetched take \d+\.$/),
  });
  expect(await modelsIn(cache)).toEqual([print("f")]);
});

test("of two fetches that begin at once, the one for which there is no room is refused", async () => {
  const options = { folder: (await openCache()).folder, mostBytes: 3.5 * MiB };
  const [one, other] = [await openCache(options), await openCache(options)];
  const [first, second] = [await begin(one, "a"), await begin(other, "b")];
  const rooms = await Promise.allSettled([one.makeRoom(2 * MiB, first), other.makeRoom(2 * MiB, second)]);
  expect(rooms.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  for (const room of rooms) if (room.status === "fulfilled") room.value();
  await other.makeRoom(2 * MiB, second);
});

test("two fetches of one model need the room of both, and what has come counts once", async () => {
  const cache = await openCache({ mostBytes: 3.5 * MiB });
  const entry = await begin(cache, "a");
  await cache.makeRoom(MiB, entry);
  await cache.makeRoom(MiB, entry);
  await expect(cache.makeRoom(2 * MiB, entry)).rejects.toMatchObject({ code: "DISK_FULL" });
  await entry.layOut({ number: 0, of: 1, bytes: 4 * MiB }, new Uint8Array(MiB).fill(1));
  await cache.makeRoom(MiB, entry);
});

test("a model that is opened while others make room is there, and stays", async () => {
  const options = { folder: (await openCache()).folder, mostBytes: 1.5 * MiB };
  const caches = [await openCache(options), await openCache(options), await openCache(options)] as const;
  await add(caches[0], "a", 1);
  const evictors = await Promise.all(caches.slice(1).map((cache, index) => begin(cache, `${index}`)));
  for (let round = 0; round < 30; round++) {
    const evictions = evictors.map((entry, index) => caches[index]?.makeRoom(MiB, entry).catch(() => () => {}));
    const entry = await caches[0].open(print("a"));
    await entry.layOut({ number: 0, of: 1, bytes: 4 * MiB }, new Uint8Array(MiB).fill(1));
    for (const giveBack of await Promise.all(evictions)) giveBack?.();
    expect((await readdir(entry.folder)).sort()).toEqual(["model.gguf", expect.stringMatching(/^user-/)]);
    entry.close();
  }
});

test("what a process that is gone has held is taken by one of those who want it", async () => {
  const cache = await openCache();
  const entry = await begin(cache);
  const gone = JSON.stringify([hostname(), 2 ** 22 + 1, 0]);
  for (let round = 0; round < 20; round++) {
    const path = join(entry.folder, `hold-${round}`);
    await writeFile(path, gone);
    const holds = Array.from({ length: 8 }, () => new Holds());
    const taken = await Promise.all(holds.map((each) => each.take(path)));
    expect(taken.filter(Boolean)).toHaveLength(1);
    for (const each of holds) each.close();
  }
});

test("a process that is gone uses nothing, and claims nothing", async () => {
  const cache = await openCache({ mostBytes: 1.5 * MiB });
  await add(cache, "a", 1);
  const entry = await cache.open(print("a"));
  await writeFile(join(entry.folder, "claim-t"), JSON.stringify([hostname(), 2 ** 22 + 1]));
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
