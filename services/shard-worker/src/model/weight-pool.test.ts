import { openGguf, readModelConfig, type ShardRange, tensorsOfShard } from "@rhone/model";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import { deferred } from "../../../../packages/common/src/grpc/testing/deferred.js";
import { qwenLike } from "../../../../packages/model/src/testing/qwen-like.js";
import { TINY_SHAPE, writeRandomModel } from "../../../../packages/model/src/testing/random-model.js";
import { openTestBackend } from "../testing/test-backend.js";
import { type PoolRequest, WeightPool } from "./weight-pool.js";

const { backend } = openTestBackend();
afterAll(() => backend.close());

const LAYERS = 4;

/** A pool, and a model of four layers whose parts it loads. */
async function scene() {
  const { path } = await writeRandomModel({ ...TINY_SHAPE, nLayers: LAYERS, architecture: qwenLike }, 1);
  const file = await openGguf(path);
  const config = readModelConfig(file, { architectures: [qwenLike] });
  const pool = new WeightPool(backend);
  const tensorsOf = (range: Partial<ShardRange>) =>
    tensorsOfShard(config, file, { first: 0, last: LAYERS, embeds: false, heads: false, ...range });
  const bytesOf = (range: Partial<ShardRange>) => tensorsOf(range).reduce((sum, { info }) => sum + info.bytes, 0);
  const load = async (range: Partial<ShardRange>, request: Partial<PoolRequest> = {}) => {
    const { signal } = new AbortController();
    const tensors = tensorsOf(range);
    const weights = await pool.load({ model: path, tensors, onProgress: () => {}, signal, ...request });
    onTestFinished(() => weights.close());
    return { ...weights, stores: tensors.map(weights.storeOf) };
  };
  return { pool, load, bytesOf };
}

test("two shards have one copy of the layers of both, and only the others are read", async () => {
  const { pool, load, bytesOf } = await scene();
  const first = await load({ last: 2, embeds: true });
  expect(first.readBytes).toBe(bytesOf({ last: 2, embeds: true }));
  const seen: (readonly [number, number])[] = [];
  const second = await load({ first: 1, last: 3 }, { onProgress: (done, total) => seen.push([done, total]) });
  const layer = bytesOf({ first: 2, last: 3 });
  expect([second.readBytes, seen.at(-1)]).toEqual([layer, [layer, layer]]);
  expect(second.stores[0]).toBe(first.stores.at(-1));
  expect(pool.bytes).toBe(bytesOf({ last: 3, embeds: true }));
  first.close();
  first.close();
  expect(pool.bytes).toBe(bytesOf({ first: 1, last: 3 }));
  second.close();
  expect(pool.bytes).toBe(0);
});

test("a shard that takes another one's place leaves what both have, and frees the rest before anything is read", async () => {
  const { pool, load, bytesOf } = await scene();
  const before = await load({ last: 3 });
  const held: number[] = [];
  const makeRoom = vi.fn(() => {
    before.close();
    held.push(pool.bytes);
  });
  const { readBytes } = await load({ first: 1, last: 4 }, { makeRoom });
  const layer = bytesOf({ last: 1 });
  expect(makeRoom.mock.calls).toEqual([[layer]]);
  expect([held, readBytes]).toEqual([[2 * layer], layer]);
});

test("weights of another file are others", async () => {
  const { load } = await scene();
  const [one, other] = [await load({}), await load({}, { model: "another" })];
  expect(other.readBytes).toBe(one.readBytes);
});

test("who needs what a patient load reads takes over what that has not begun", async () => {
  const { load, bytesOf } = await scene();
  const begun = deferred<void>();
  const patient = load({}, { isPatient: true, onProgress: () => begun.resolve() });
  await begun.promise;
  const urgent = await load({});
  const layer = bytesOf({ last: 1 });
  expect(urgent.readBytes).toBe((LAYERS - 1) * layer);
  expect((await patient).readBytes).toBe(layer);
});

test("memory of weights that another load has not read yet counts once", async () => {
  const { load, bytesOf } = await scene();
  const { memoryTotal } = backend.device;
  onTestFinished(() => void Object.assign(backend.device, { memoryTotal }));
  Object.assign(backend.device, { memoryTotal: bytesOf({}) });
  const begun = deferred<void>();
  const patient = load({}, { isPatient: true, onProgress: () => begun.resolve() });
  await begun.promise;
  await Promise.all([load({}), patient]);
});

test("a load that is aborted keeps nothing, and another one that waits for it reads by itself", async () => {
  const { pool, load, bytesOf } = await scene();
  const abort = new AbortController();
  const reason = new Error("not needed any more");
  const begun = deferred<void>();
  const onProgress = (): void => begun.resolve();
  const aborted = load({ last: 2 }, { isPatient: true, onProgress, signal: abort.signal });
  await begun.promise;
  const other = load({ first: 0, last: 1 });
  abort.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  expect((await other).readBytes).toBe(bytesOf({ last: 1 }));
  expect(pool.bytes).toBe(bytesOf({ last: 1 }));
});
