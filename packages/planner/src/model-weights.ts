/** What a model weighs, in bytes. */
export interface ModelWeights {
  readonly layerBytes: readonly number[];
  /** The first stage holds the token embedding, the last the final norm and the head. */
  readonly embeddingBytes: number;
  readonly headBytes: number;
  /** With one stage a tied embedding is held once: the whole file. */
  readonly wholeBytes: number;
}

export interface ShardRange {
  /** Layers [first, last). */
  readonly first: number;
  readonly last: number;
  readonly embeds: boolean;
  readonly heads: boolean;
}

/** Bytes that a shard holds. */
export function shardBytes(weights: ModelWeights, { first, last, embeds, heads }: ShardRange): number {
  if (embeds && heads) return weights.wholeBytes;
  const layers = weights.layerBytes.slice(first, last).reduce((sum, bytes) => sum + bytes, 0);
  return layers + (embeds ? weights.embeddingBytes : 0) + (heads ? weights.headBytes : 0);
}
