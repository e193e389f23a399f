import { stat } from "node:fs/promises";
import { RhoneError } from "@rhone/common";
import { openGguf } from "@rhone/model";
import { expect, test } from "vitest";
import { smallModel, writeSmallParts } from "../../../model/src/testing/small-gguf.js";
import { openByteProxy } from "../testing/byte-proxy.js";
import {
  bytesOf,
  damageTensor,
  fakeLogger,
  fetcher,
  hashesOf,
  layers,
  openCache,
  openClient,
  serveWeights,
  writeModel,
} from "../testing/weights-scene.js";

/** The bytes of a message, the middle one changed. */
const damaged = (data: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(data);
  copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
  return copy;
};

test("only the layers that are wanted come, with at most 2 % around them on the wire", async () => {
  const file = await writeModel();
  const proxy = await openByteProxy(await serveWeights(file));
  const { fetch, counted } = fetcher(file, proxy.address, await openCache());
  const found = await fetch({ wanted: layers(1, 3) });
  const wanted = layers(1, 3)(file);
  expect(await hashesOf(layers(1, 3)(found.file))).toEqual(await hashesOf(wanted));
  const bytes = bytesOf(wanted);
  expect(proxy.sentBytes()).toBeGreaterThan(bytes);
  expect(proxy.sentBytes()).toBeLessThan(bytes * 1.02);
  expect(counted.progress.at(-1)).toEqual(["fetch", bytes, bytes]);
  const { size, blocks } = await stat(found.file.path);
  expect(size).toBe(file.fileBytes);
  expect(blocks * 512).toBeLessThan(bytes * 1.1);
});

test("a gateway gets the header alone", async () => {
  const file = await writeModel();
  const { fetch, counted } = fetcher(file, await serveWeights(file), await openCache());
  const found = await fetch({ wanted: () => [] });
  expect(found.file.metadata).toEqual(file.metadata);
  expect(counted.received).toBe(file.parts[0]?.headerBytes);
});

test("a model that was split comes in its parts", async () => {
  const [path = ""] = await writeSmallParts(smallModel(), [0, 5, 16]);
  const file = await openGguf(path);
  const { fetch } = fetcher(file, await serveWeights(file), await openCache());
  const found = await fetch({ wanted: layers(0, 2, { embeds: true, heads: true }) });
  expect(found.file.parts.map(({ bytes }) => bytes)).toEqual(file.parts.map(({ bytes }) => bytes));
  const tensors = [...file.tensors.values()];
  expect(await hashesOf([...found.file.tensors.values()])).toEqual(await hashesOf(tensors));
});

test("a byte that was changed on the way is found, its tensor named and fetched again", async () => {
  const file = await writeModel();
  let left = 1;
  const address = await serveWeights(file, {
    damage: (message, query) =>
      query.pieces?.[0]?.tensor && left-- > 0 ? { data: damaged(message.data ?? new Uint8Array()) } : message,
  });
  const { fetch, counted, warnings } = fetcher(file, address, await openCache());
  const { file: found } = await fetch();
  expect(await hashesOf(layers(0, 2)(found))).toEqual(await hashesOf(layers(0, 2)(file)));
  expect(counted.wrong).toBe(1);
  expect(warnings()).toEqual([
    [expect.objectContaining({ tensor: expect.stringMatching(/^blk\.\d\./) }), "weights were damaged on their way"],
  ]);
  const again = counted.received - bytesOf(layers(0, 2)(file));
  expect(again).toBeLessThan(512 * 256 * 4 + 10_000);
});

test("a source that always sends a tensor wrong is given up, by name", async () => {
  const file = await writeModel();
  const address = await serveWeights(file, {
    damage: (message, query) =>
      query.pieces?.[0]?.tensor ? { data: damaged(message.data ?? new Uint8Array()) } : message,
  });
  const { fetch } = fetcher(file, address, await openCache());
  await expect(fetch({ wanted: layers(0, 1) })).rejects.toMatchObject({
    code: "CHECKSUM_MISMATCH",
    message: expect.stringMatching(/^blk\.0\.\S+ came from the coordinator at 127\S+ with the SHA-256 .* 3 times/),
  });
});

test("a connection that is cut is made again, and no byte that arrived comes twice", async () => {
  const file = await writeModel();
  const proxy = await openByteProxy(await serveWeights(file), [1_000_000, 2_000_000]);
  const { fetch, counted } = fetcher(file, proxy.address, await openCache());
  const { file: found } = await fetch();
  const tensors = layers(0, 2)(file);
  expect(await hashesOf(layers(0, 2)(found))).toEqual(await hashesOf(tensors));
  expect(counted.received).toBe(bytesOf(tensors) + (file.parts[0]?.headerBytes ?? 0));
});

test("a fetch that was ended is continued by the next process", async () => {
  const file = await writeModel();
  const cache = await openCache();
  const address = await serveWeights(file);
  const total = bytesOf(layers(0, 4)(file));
  const ended = new AbortController();
  const first = fetcher(file, address, cache);
  const onProgress = (_phase: string, bytes: number): void => {
    if (bytes > total / 2) ended.abort(new Error("ended"));
  };
  await expect(first.fetch({ wanted: layers(0, 4), onProgress, signal: ended.signal })).rejects.toThrow("ended");
  const second = fetcher(file, address, cache);
  const { file: found } = await second.fetch({ wanted: layers(0, 4) });
  expect(await hashesOf(layers(0, 4)(found))).toEqual(await hashesOf(layers(0, 4)(file)));
  expect(second.counted.received).toBeLessThan(total);
});

test("two loads of one model share what is fetched", async () => {
  const file = await writeModel();
  const cache = await openCache();
  const address = await serveWeights(file);
  const [one, other] = [fetcher(file, address, cache), fetcher(file, address, cache)];
  await Promise.all([one.fetch({ wanted: layers(0, 3) }), other.fetch({ wanted: layers(1, 4) })]);
  const header = file.parts[0]?.headerBytes ?? 0;
  const both = one.counted.received + other.counted.received;
  expect(both).toBeGreaterThanOrEqual(bytesOf(layers(0, 4)(file)) + header);
  expect(both).toBeLessThanOrEqual(bytesOf(layers(0, 4)(file)) + 2 * header);
});

test("what was fetched before is not fetched again, unless its bytes were changed on disk", async () => {
  const file = await writeModel();
  const cache = await openCache();
  const address = await serveWeights(file);
  const first = await fetcher(file, address, cache).fetch();
  first.close();
  const second = fetcher(file, address, cache);
  const { file: found, close } = await second.fetch();
  expect(second.counted.received).toBe(0);
  const tensor = layers(0, 2)(found)[3];
  if (tensor === undefined) throw new Error("no tensor");
  await damageTensor(tensor);
  close();
  const third = fetcher(file, address, cache);
  await third.fetch();
  expect(third.counted.received).toBe(tensor.bytes);
  expect(third.warnings()).toEqual([
    [expect.objectContaining({ tensor: tensor.name }), "fetched weights were changed on disk"],
  ]);
  expect(await hashesOf(layers(0, 2)(found))).toEqual(await hashesOf(layers(0, 2)(file)));
});

test("tensors of a file with the same header but other weights are fetched again", async () => {
  const [file, other] = [await writeModel(1), await writeModel(2)];
  expect(other.headerFingerprint).toBe(file.headerFingerprint);
  const cache = await openCache();
  (await fetcher(file, await serveWeights(file), cache).fetch()).close();
  const { file: found } = await fetcher(other, await serveWeights(other), cache).fetch();
  expect(await hashesOf(layers(0, 2)(found))).toEqual(await hashesOf(layers(0, 2)(other)));
});

test("without room on the disk nothing is fetched: DISK_FULL, with the numbers", async () => {
  const file = await writeModel();
  const cache = await openCache({ freeBytes: async () => 100_000 });
  const { fetch, counted } = fetcher(file, await serveWeights(file), cache);
  await expect(fetch()).rejects.toMatchObject({
    code: "DISK_FULL",
    message: `${cache.folder} has no room for ${bytesOf(layers(0, 2)(file))} bytes of weights: its disk has 100000 bytes free.`,
  });
  expect(counted.received).toBe(file.parts[0]?.headerBytes);
});

test("a coordinator that is lost before it told the hashes ends the fetch, by name", async () => {
  const file = await writeModel();
  const client = openClient(await serveWeights(file));
  const hash = async function* (): AsyncGenerator<never> {
    yield* [];
    throw new RhoneError("SHUTTING_DOWN", "It is gone.");
  };
  const { fetch } = fetcher(file, "127.0.0.1:1", await openCache());
  const origin = Object.assign(client, { hash });
  await expect(fetch({ origin })).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
});

test("a coordinator that is not there is named", async () => {
  const file = await writeModel();
  const client = openClient("127.0.0.1:1");
  const { fetch } = fetcher(file, "127.0.0.1:1", await openCache());
  const { logger } = fakeLogger();
  await expect(fetch({ origin: client, logger })).rejects.toMatchObject({
    code: "WORKER_LOST",
    message: expect.stringMatching(/^The connection to the coordinator at 127\.0\.0\.1:1 failed/),
  });
});

test("layers come from every process that has them, and a lost one's from the others", async () => {
  const file = await writeModel();
  const names = (first: number, last: number) => new Set(layers(first, last)(file).map(({ name }) => name));
  const coordinator = await openByteProxy(await serveWeights(file));
  const worker = await openByteProxy(await serveWeights(file, { tensors: names(0, 2), hashes: null }));
  const lost = openClient("127.0.0.1:1");
  const { fetch } = fetcher(file, coordinator.address, await openCache());
  const others = [openClient(worker.address), lost];
  const { file: found, tensors } = await fetch({ wanted: layers(0, 4), others });
  expect([...(tensors ?? [])].sort()).toEqual([...names(0, 4)].sort());
  expect(await hashesOf(layers(0, 4)(found))).toEqual(await hashesOf(layers(0, 4)(file)));
  expect(worker.sentBytes()).toBeGreaterThan(1e6);
  expect(coordinator.sentBytes()).toBeGreaterThan(bytesOf(layers(2, 4)(file)));
});
