import type { Backend, Engine } from "@rhone/ggml";
import type { GrammarLimits } from "@rhone/grammar";
import { readModelConfig } from "@rhone/model";
import { measureSteps } from "../calibration/measure-steps.js";
import { Pages } from "../kv-cache/pages.js";
import { loadWeights } from "../model/load-weights.js";
import { Constraints } from "../sampling/constraints.js";
import { Stage } from "../stage/stage.js";
import type { LoadedShard, LoadRequest } from "./device.js";
import { findModelFile } from "./find-model-file.js";
import { whyVaries } from "./why-varies.js";

export interface LoadShardRequest extends LoadRequest {
  readonly engine: Engine;
  readonly backend: Backend;
  /** What the grammars of constrained sequences may cost. Default: DEFAULT_GRAMMAR_LIMITS. */
  readonly grammars?: GrammarLimits;
}

/** A shard that computes. */
export interface ComputingShard extends LoadedShard {
  readonly stage: Stage;
}

/**
 * Loads weights and allocates pages. Throws MODEL_NOT_FOUND, MODEL_MISMATCH, OUT_OF_MEMORY, and what the readers of
 * model files throw.
 */
export async function loadShard(request: LoadShardRequest): Promise<ComputingShard> {
  const { engine, backend, order, modelsDir, onProgress, signal } = request;
  const { range, slidingWindow, pages: count, pageSize, kvType: type, maxRows } = order;
  const file = await findModelFile(order.model, modelsDir);
  const config = readModelConfig(file, { slidingWindow });
  const weights = await loadWeights({ backend, file, config, range, onProgress, signal });
  try {
    const layers = [...weights.layers.keys()];
    const kvDim = config.nKvHeads * config.headDim;
    const pages = Pages.open(backend, { layers, pages: count, pageSize, kvDim, type });
    const shard = { config, weights, pages };
    const { embeds, heads } = range;
    const vocabulary = { path: file.path, vocabSize: config.vocabSize };
    const constraints = new Constraints({ engine, ...vocabulary, limits: request.grammars });
    if (heads && config.tokenizer.model !== undefined) await constraints.prepare();
    const stage = new Stage({ backend, shard, embeds, heads, maxRows, constraints });
    const close = (): void => {
      stage.close();
      constraints.close();
      pages.close();
      weights.close();
    };
    const measure = (rows: readonly number[]) => measureSteps({ backend, shard, heads }, rows);
    const facts = { weightBytes: weights.bytes, pageBytes: pages.bytes, varies: whyVaries(backend, shard) };
    return { stage, ...facts, measure, close };
  } catch (error) {
    weights.close();
    throw error;
  }
}
