/** Sizes of a model's weights, in bytes. */
export interface ModelWeights {
  readonly layerBytes: readonly number[];
  /** Token embedding, held by the first stage. */
  readonly embeddingBytes: number;
  /** Final norm and head, held by the last stage. */
  readonly headBytes: number;
  /** All weights of a single stage, which holds a tied embedding once. */
  readonly wholeBytes: number;
}

/** Layers [first, last), with the embedding on the first stage and the head on the last. */
export interface ShardRange {
  readonly first: number;
  readonly last: number;
  readonly embeds: boolean;
  readonly heads: boolean;
}

/** Bytes of a shard's weights. */
export function shardBytes(weights: ModelWeights, { first, last, embeds, heads }: ShardRange): number {
  if (embeds && heads) return weights.wholeBytes;
  return (
    sum(weights.layerBytes.slice(first, last)) + (embeds ? weights.embeddingBytes : 0) + (heads ? weights.headBytes : 0)
  );
}

/** Bytes of a shard's weights that are in none of those held already. */
export function bytesBeyond(weights: ModelWeights, wanted: ShardRange, held: readonly ShardRange[]): number {
  const isHeld = (layer: number): boolean => held.some((range) => isIn(range, layer));
  const layers = weights.layerBytes.filter((_, layer) => isIn(wanted, layer) && !isHeld(layer));
  const embeds = wanted.embeds && !held.some(({ embeds }) => embeds);
  const heads = wanted.heads && !held.some(({ heads }) => heads);
  return sum(layers) + (embeds ? weights.embeddingBytes : 0) + (heads ? weights.headBytes : 0);
}

/** Bytes of the weights that are in any of these, each counted once. */
export function heldBytes(weights: ModelWeights, held: readonly ShardRange[]): number {
  return sum(held.map((range, index) => bytesBeyond(weights, range, held.slice(0, index))));
}

const isIn = ({ first, last }: ShardRange, layer: number): boolean => first <= layer && layer < last;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
