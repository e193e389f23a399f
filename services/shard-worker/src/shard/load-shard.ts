import { type Backend, type Engine, GgmlType } from "@rhone/ggml";
import { readModelConfig } from "@rhone/model";
import { rhone } from "@rhone/proto";
import { measureSteps } from "../calibration/measure-steps.js";
import { Pages } from "../kv-cache/pages.js";
import { loadWeights } from "../model/load-weights.js";
import { Constraints } from "../sampling/constraints.js";
import { Stage } from "../stage/stage.js";
import type { LoadedShard, LoadRequest } from "./device.js";
import { findModelFile } from "./find-model-file.js";

export interface LoadShardRequest extends LoadRequest {
  readonly engine: Engine;
  readonly backend: Backend;
}

/** A shard that computes. */
export interface ComputingShard extends LoadedShard {
  readonly stage: Stage;
}

/** Loads weights and allocates pages. Throws MODEL_NOT_FOUND, MODEL_MISMATCH, OUT_OF_MEMORY and what the readers throw. */
export async function loadShard(request: LoadShardRequest): Promise<ComputingShard> {
  const { engine, backend, load, modelsDir, onProgress, signal } = request;
  const file = await findModelFile(load.model ?? {}, modelsDir);
  const config = readModelConfig(file, { slidingWindow: load.slidingWindow ?? 0 });
  const range = {
    first: load.firstLayer ?? 0,
    last: load.lastLayer ?? 0,
    embeds: load.embeds ?? false,
    heads: load.heads ?? false,
  };
  const weights = await loadWeights({ backend, file, config, range, onProgress, signal });
  try {
    const pages = Pages.open(backend, {
      layers: [...weights.layers.keys()],
      pages: load.pages ?? 0,
      pageSize: load.pageSize ?? 1,
      kvDim: config.nKvHeads * config.headDim,
      type: kvTypeOf(load.kvType ?? 0),
    });
    const shard = { config, weights, pages };
    const options = { engine, backend, shard, embeds: range.embeds, heads: range.heads };
    const constraints = new Constraints({ engine, path: file.path, vocabSize: config.vocabSize });
    const stage = new Stage({ ...options, constraints });
    const close = (): void => {
      stage.close();
      pages.close();
      weights.close();
    };
    const measure = (rows: readonly number[]) => measureSteps(options, rows);
    return { stage, weightBytes: weights.bytes, pageBytes: pages.bytes, measure, close };
  } catch (error) {
    weights.close();
    throw error;
  }
}

function kvTypeOf(type: rhone.v1.KvType): GgmlType {
  if (type === rhone.v1.KvType.KV_F32) return GgmlType.F32;
  if (type === rhone.v1.KvType.KV_Q8_0) return GgmlType.Q8_0;
  return GgmlType.F16;
}
