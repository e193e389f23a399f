import {
  type Backend,
  type GgmlType,
  PackedWeight,
  type Shape,
  type Tensor,
  type Weight,
  WeightStore,
} from "@rhone/ggml";
import {
  type GgufFile,
  type ModelConfig,
  type OuterRole,
  type ShardRange,
  type ShardTensor,
  tensorsOfShard,
} from "@rhone/model";
import { fillWeights } from "./fill-weights.js";

/** A layer's tensors by the architecture's roles; optional ones that the file lacks are absent. */
export type LayerWeights = ReadonlyMap<string, Weight>;

/** The tensors around the layers that the shard has. Only the head is a matrix of a product. */
export interface OuterWeights extends Readonly<Partial<Record<Exclude<OuterRole, "output">, Tensor>>> {
  readonly output?: Weight;
}

/** The weights of layers [first, last) and the tensors around them. Layer indices are the model's own. */
export interface ShardWeights {
  readonly layers: ReadonlyMap<number, LayerWeights>;
  readonly outer: OuterWeights;
  /** The matrices that ggml multiplies by, because Rhone's kernels do not; none without matrices. */
  readonly unpacked: readonly { readonly name: string; readonly type: GgmlType }[];
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

/** One name per role: with tied embeddings, one tensor of the file is loaded once for each of its two uses. */
const storeName = ({ role, layer }: ShardTensor): string => (layer === undefined ? role : `${layer}.${role}`);

/**
 * Reads only the bytes of the shard's own tensors. Throws what tensorsOfShard, WeightStore and readTensorBytes throw.
 */
export async function loadWeights(request: LoadWeightsRequest): Promise<ShardWeights> {
  const tensors = tensorsOfShard(request.config, request.file, request.range);
  const specs = tensors.map((tensor) => ({
    name: storeName(tensor),
    type: tensor.info.type,
    ne: shapeOf(tensor.info.ne),
    use: tensor.use,
  }));
  const store = WeightStore.open(request.backend, specs);
  try {
    const weights = tensors.map((tensor) => ({ name: storeName(tensor), info: tensor.info }));
    await fillWeights(store, weights, request);
  } catch (error) {
    store.close();
    throw error;
  }
  const unpacked = tensors
    .filter((tensor) => tensor.use === "matmul" && !(store.weight(storeName(tensor)) instanceof PackedWeight))
    .map(({ info }) => ({ name: info.name, type: info.type }));
  return { ...arrange(store, tensors), unpacked, bytes: totalBytes(tensors), close: () => store.close() };
}

function arrange(store: WeightStore, tensors: readonly ShardTensor[]): Pick<ShardWeights, "layers" | "outer"> {
  const layers = new Map<number, Map<string, Weight>>();
  const outer: { -readonly [Role in keyof OuterWeights]: OuterWeights[Role] } = {};
  for (const tensor of tensors) {
    const { role, layer } = tensor;
    const name = storeName(tensor);
    if (layer !== undefined) layers.set(layer, (layers.get(layer) ?? new Map()).set(role, store.weight(name)));
    else if (role === "output") outer.output = store.weight(name);
    else outer[role] = store.get(name);
  }
  return { layers, outer };
}

const totalBytes = (tensors: readonly ShardTensor[]): number => tensors.reduce((sum, { info }) => sum + info.bytes, 0);

const shapeOf = ([ne0 = 1, ne1 = 1, ne2 = 1, ne3 = 1]: readonly number[]): Shape => [ne0, ne1, ne2, ne3];
