import type { ActivationTypeName, KvTypeName } from "@rhone/common";
import { RhoneError } from "@rhone/common/rhone-error";
import type { ShardRange } from "../architectures/model-shape.js";
import type { GgufFile } from "../gguf/gguf-file.js";
import type { ModelConfig } from "./model-config.js";
import { tensorsOfShard } from "./shard-tensors.js";

/** Bytes of a model's weights. */
export interface WeightSizes {
  readonly total: number;
  readonly embedding: number;
  /** Final norm and head. */
  readonly head: number;
  /** One number per layer, in order. */
  readonly layers: readonly number[];
}

/** Bytes of one layer's tensors in the file. Throws as tensorsOfShard does. */
export function weightBytes(config: ModelConfig, file: GgufFile, layer: number): number {
  return shardBytes(config, file, { first: layer, last: layer + 1, embeds: false, heads: false });
}

/** Bytes that a shard reads: its layers, the embedding, the head. A tied embedding counts once. */
export function shardBytes(config: ModelConfig, file: GgufFile, range: ShardRange): number {
  const distinct = new Set(tensorsOfShard(config, file, range).map(({ info }) => info));
  let bytes = 0;
  for (const info of distinct) bytes += info.bytes;
  return bytes;
}

/**
 * Bytes of one page of K and V in one layer. For Mistral 7B, f16 and 32 positions:
 * 2 (K and V) * 32 positions * 8 heads * 128 numbers * 2 bytes = 131,072. q8_0 takes 34 bytes per 32 numbers.
 * Throws INVALID_CONFIG when a position's numbers do not divide into q8_0's blocks of 32.
 */
export function pageBytesPerLayer(
  config: Pick<ModelConfig, "nKvHeads" | "headDim">,
  kvType: KvTypeName,
  pageSize: number,
): number {
  const numbers = config.nKvHeads * config.headDim;
  return 2 * pageSize * rowBytes(numbers, kvType, "q8_0 pages need a multiple of 32 numbers per position");
}

/**
 * Bytes of one row of activations, as they go from stage to stage: 16,384 for Mistral 7B in f32. Throws INVALID_CONFIG
 * when a row does not divide into q8_0's blocks of 32.
 */
export function activationBytes({ dim }: Pick<ModelConfig, "dim">, type: ActivationTypeName): number {
  return rowBytes(dim, type, "q8_0 activations need a multiple of 32 numbers per row");
}

/** `rule`: what q8_0 needs, for the refusal. */
function rowBytes(numbers: number, type: KvTypeName | ActivationTypeName, rule: string): number {
  switch (type) {
    case "f32":
      return numbers * 4;
    case "f16":
      return numbers * 2;
    case "q8_0":
      if (numbers % 32 === 0) return (numbers / 32) * 34;
      throw new RhoneError("INVALID_CONFIG", `${rule}; this model has ${numbers}; choose f16 or f32`);
  }
}
