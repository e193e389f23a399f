import type { Backend, Engine } from "@rhone/ggml";
import type { GrammarLimits } from "@rhone/grammar";
import { type GgufFile, readModelConfig, type TensorInfo, tensorsOfShard } from "@rhone/model";
import { type FoundModel, weightsFile } from "@rhone/weights";
import { measureSteps } from "../calibration/measure-steps.js";
import { Pages } from "../kv-cache/pages.js";
import { loadWeights } from "../model/load-weights.js";
import { WeightPool } from "../model/weight-pool.js";
import { Constraints } from "../sampling/constraints.js";
import { Stage } from "../stage/stage.js";
import type { LoadOrder, WeightsOrder } from "../wire/read-order.js";
import type { HeldWeights, HoldRequest, LoadedShard, LoadRequest } from "./device.js";
import { whyVaries } from "./why-varies.js";

export interface LoadShardRequest extends LoadRequest {
  readonly engine: Engine;
  readonly backend: Backend;
  /** Of this backend; one of its own when absent. */
  readonly pool?: WeightPool;
  /** What the grammars of constrained sequences may cost. Default: DEFAULT_GRAMMAR_LIMITS. */
  readonly grammars?: GrammarLimits;
}

/** A shard that computes. */
export interface ComputingShard extends LoadedShard {
  readonly stage: Stage;
}

/**
 * Finds the model's file, loads weights and allocates pages. Throws OUT_OF_MEMORY, and what `files` and the readers of
 * model files throw.
 */
export async function loadShard(request: LoadShardRequest): Promise<ComputingShard> {
  const found = await find(request, request.order.slidingWindow);
  try {
    return await loadFound(request, found);
  } catch (error) {
    found.close();
    throw error;
  }
}

export interface HoldWeightsRequest extends HoldRequest {
  readonly pool: WeightPool;
}

/** Finds the model's file and has the pool hold weights of it. Throws as `loadShard`. */
export async function holdWeights({ pool, ...request }: HoldWeightsRequest): Promise<HeldWeights> {
  const { order, signal } = request;
  const found = await find({ ...request, onProgress: () => {} }, ANY_WINDOW);
  try {
    const { file } = found;
    const config = readModelConfig(file, { slidingWindow: ANY_WINDOW });
    const { model, range } = order;
    const part = { pool, model: weightsId(model), file, config, range };
    const weights = await loadWeights({ ...part, isPatient: true, onProgress: () => {}, signal });
    const close = (): void => {
      weights.close();
      found.close();
    };
    return { close };
  } catch (error) {
    found.close();
    throw error;
  }
}

/** Weights are the same with any. */
const ANY_WINDOW = 0;

type FindRequest = Pick<LoadRequest, "files" | "onProgress" | "signal"> & { readonly order: WeightsOrder };

function find({ order, files, onProgress, signal }: FindRequest, slidingWindow: number): Promise<FoundModel> {
  const wanted = (file: GgufFile): readonly TensorInfo[] =>
    tensorsOfShard(readModelConfig(file, { slidingWindow }), file, order.range).map(({ info }) => info);
  return files.find(order.model, { wanted, onProgress, signal });
}

/** The same for equal weights, wherever they are read. */
const weightsId = ({ fingerprint, stamp }: LoadOrder["model"]): string => `${fingerprint} ${stamp}`;

async function loadFound(request: LoadShardRequest, found: FoundModel): Promise<ComputingShard> {
  const { engine, backend, order, signal, makeRoom, pool = new WeightPool(backend) } = request;
  const { file, tensors } = found;
  const { range, slidingWindow, pages: count, pageSize, kvType: type, maxRows } = order;
  const config = readModelConfig(file, { slidingWindow });
  const onProgress = (bytes: number, totalBytes: number): void => request.onProgress("load", bytes, totalBytes);
  const model = weightsId(order.model);
  const weights = await loadWeights({ pool, model, file, config, range, makeRoom, onProgress, signal });
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
      found.close();
    };
    const measure = (rows: readonly number[]) => measureSteps({ backend, shard, heads }, rows);
    const facts = { weightBytes: weights.bytes, pageBytes: pages.bytes, varies: whyVaries(backend, shard) };
    return { stage, ...facts, given: { file: weightsFile(file), tensors }, measure, close };
  } catch (error) {
    weights.close();
    throw error;
  }
}
