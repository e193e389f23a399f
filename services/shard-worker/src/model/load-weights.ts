import { type GgmlType, PackedWeight, type Tensor, type Weight } from "@rhone/ggml";
import {
  type GgufFile,
  type ModelConfig,
  type OuterRole,
  type ShardRange,
  type ShardTensor,
  tensorsOfShard,
} from "@rhone/model";
import { type PooledWeights, type PoolRequest, storeName, type WeightPool } from "./weight-pool.js";

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

export interface LoadWeightsRequest extends Omit<PoolRequest, "tensors"> {
  readonly pool: WeightPool;
  readonly file: GgufFile;
  readonly config: ModelConfig;
  readonly range: ShardRange;
}

/**
 * Reads only the bytes of the shard's own tensors that the pool lacks. Throws what tensorsOfShard and WeightPool.load
 * throw.
 */
export async function loadWeights({
  pool,
  file,
  config,
  range,
  ...request
}: LoadWeightsRequest): Promise<ShardWeights> {
  const tensors = tensorsOfShard(config, file, range);
  const pooled = await pool.load({ tensors, ...request });
  const { storeOf, close } = pooled;
  const isUnpacked = (tensor: ShardTensor): boolean =>
    tensor.use === "matmul" && !(storeOf(tensor).weight(storeName(tensor)) instanceof PackedWeight);
  const unpacked = tensors.filter(isUnpacked).map(({ info }) => ({ name: info.name, type: info.type }));
  return { ...arrange(pooled, tensors), unpacked, bytes: totalBytes(tensors), close };
}

function arrange({ storeOf }: PooledWeights, tensors: readonly ShardTensor[]): Pick<ShardWeights, "layers" | "outer"> {
  const layers = new Map<number, Map<string, Weight>>();
  const outer: { -readonly [Role in keyof OuterWeights]: OuterWeights[Role] } = {};
  for (const tensor of tensors) {
    const { role, layer } = tensor;
    const store = storeOf(tensor);
    const name = storeName(tensor);
    if (layer !== undefined) layers.set(layer, (layers.get(layer) ?? new Map()).set(role, store.weight(name)));
    else if (role === "output") outer.output = store.weight(name);
    else outer[role] = store.get(name);
  }
  return { layers, outer };
}

const totalBytes = (tensors: readonly ShardTensor[]): number => tensors.reduce((sum, { info }) => sum + info.bytes, 0);
