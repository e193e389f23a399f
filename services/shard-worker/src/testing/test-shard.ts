import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GgmlType } from "@rhone/ggml";
import { openGguf, synthesize } from "@rhone/model";
import { fileAtPath } from "@rhone/weights";
import { type ComputingShard, type LoadShardRequest, loadShard } from "../shard/load-shard.js";
import type { LoadOrder } from "../wire/read-order.js";
import { openTestBackend } from "./test-backend.js";

const ORDER = { pages: 16, pageSize: 32, kvType: GgmlType.F16, slidingWindow: 0, maxRows: 512 };

/** Layers of the model file at `path`, with 16 pages of 32 positions in F16 unless `order` says otherwise. Close it. */
export async function loadTestShard(
  { engine, backend, ...own }: Pick<LoadShardRequest, "engine" | "backend" | "pool">,
  path: string,
  order: Pick<LoadOrder, "range"> & Partial<LoadOrder>,
): Promise<ComputingShard> {
  const { headerFingerprint: fingerprint } = await openGguf(path);
  return loadShard({
    engine,
    backend,
    ...own,
    files: fileAtPath,
    order: { ...ORDER, model: { name: "test", path, fingerprint, stamp: "", origin: "", sources: [] }, ...order },
    onProgress: () => {},
    signal: new AbortController().signal,
  });
}

/** A whole tiny model of random weights on a test backend. Close it. */
export async function openSynthesized(model: { readonly type: "q4_0" | "q4_k"; readonly layers: number }) {
  const folder = mkdtempSync(join(tmpdir(), "rhone-shard-"));
  const path = join(folder, "tiny.gguf");
  await synthesize({ ...model, preset: "tiny", seed: 1, out: path });
  const { engine, backend } = openTestBackend();
  const range = { first: 0, last: model.layers, embeds: true, heads: true };
  const shard = await loadTestShard({ engine, backend }, path, { range });
  const close = (): void => {
    shard.close();
    backend.close();
    rmSync(folder, { recursive: true });
  };
  return { backend, stage: shard.stage, close };
}
