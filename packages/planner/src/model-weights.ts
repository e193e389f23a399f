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
  const layers = weights.layerBytes.slice(first, last).reduce((sum, bytes) => sum + bytes, 0);
  return layers + (embeds ? weights.embeddingBytes : 0) + (heads ? weights.headBytes : 0);
}
