import { open } from "node:fs/promises";
import { type Backend, type Tensor, WeightStore, type WeightUse } from "@rhone/ggml";
import {
  type GgufFile,
  type LayerRole,
  type ModelConfig,
  type OuterRole,
  readTensorBytes,
  type ShardRange,
  type ShardTensor,
  tensorsOfShard,
} from "@rhone/model";

export type LayerWeights = Readonly<Record<LayerRole, Tensor>>;

/** The weights of layers [first, last) and what stands around them. Layer indices are the model's own. */
export interface ShardWeights {
  readonly layers: ReadonlyMap<number, LayerWeights>;
  readonly outer: Readonly<Partial<Record<OuterRole, Tensor>>>;
  readonly bytes: number;
  readonly close: () => void;
}

export interface LoadWeightsRequest {
  readonly backend: Backend;
  readonly file: GgufFile;
  readonly config: ModelConfig;
  readonly range: ShardRange;
  readonly onProgress: (bytes: number, totalBytes: number) => void;
  readonly signal: AbortSignal;
}

const USE: Readonly<Partial<Record<LayerRole | OuterRole, WeightUse>>> = {
  attnNorm: "norm",
  ffnNorm: "norm",
  outputNorm: "norm",
  ropeFreqs: "norm",
  tokenEmbedding: "rows",
};

/** One name per role: with tied embeddings one tensor of the file is loaded once for each of its two uses. */
const storeName = ({ role, layer }: ShardTensor): string => (layer === undefined ? role : `${layer}.${role}`);

/** Reads only the bytes of the shard's own tensors. Throws what tensorsOfShard, WeightStore and readTensorBytes throw. */
export async function loadWeights(request: LoadWeightsRequest): Promise<ShardWeights> {
  const tensors = tensorsOfShard(request.config, request.file, request.range);
  const specs = tensors.map((tensor) => ({
    name: storeName(tensor),
    type: tensor.info.type,
    ne: neOf(tensor.info.ne),
    use: USE[tensor.role] ?? ("matmul" as const),
  }));
  const store = WeightStore.open(request.backend, specs);
  try {
    await fill(store, tensors, request);
  } catch (error) {
    store.close();
    throw error;
  }
  return { ...arrange(store, tensors), bytes: totalBytes(tensors), close: () => store.close() };
}

async function fill(store: WeightStore, tensors: readonly ShardTensor[], request: LoadWeightsRequest): Promise<void> {
  const total = totalBytes(tensors);
  const staging = new Uint8Array(tensors.reduce((most, { info }) => Math.max(most, info.bytes), 0));
  const handle = await open(request.file.path, "r");
  let done = 0;
  try {
    for (const tensor of tensors) {
      request.signal.throwIfAborted();
      await store.setAsync(storeName(tensor), await readTensorBytes(handle, tensor.info, staging));
      done += tensor.info.bytes;
      request.onProgress(done, total);
    }
  } finally {
    await handle.close();
  }
}

function arrange(store: WeightStore, tensors: readonly ShardTensor[]): Pick<ShardWeights, "layers" | "outer"> {
  const layers = new Map<number, Partial<Record<LayerRole, Tensor>>>();
  const outer: Partial<Record<OuterRole, Tensor>> = {};
  for (const tensor of tensors) {
    const weight = store.get(storeName(tensor));
    if (tensor.layer === undefined) outer[tensor.role] = weight;
    else layers.set(tensor.layer, { ...layers.get(tensor.layer), [tensor.role]: weight });
  }
  // tensorsOfShard gives every role of every layer, or throws.
  return { layers: layers as ReadonlyMap<number, LayerWeights>, outer };
}

const totalBytes = (tensors: readonly ShardTensor[]): number => tensors.reduce((sum, { info }) => sum + info.bytes, 0);

function neOf(ne: readonly number[]): readonly [number, number] | readonly [number] {
  return ne[1] === undefined ? [ne[0] ?? 1] : [ne[0] ?? 1, ne[1]];
}
