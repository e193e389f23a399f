import type { KvTypeName } from "@rhone/common";
import { RhoneError } from "@rhone/common/rhone-error";
import type { ShardRange } from "../architectures/model-shape.js";
import type { GgufFile } from "../gguf/gguf-file.js";
import type { ModelConfig } from "./model-config.js";
import { tensorsOfShard } from "./shard-tensors.js";

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
  return 2 * pageSize * rowBytes(numbers, kvType);
}

function rowBytes(numbers: number, kvType: KvTypeName): number {
  switch (kvType) {
    case "f32":
      return numbers * 4;
    case "f16":
      return numbers * 2;
    case "q8_0":
      if (numbers % 32 === 0) return (numbers / 32) * 34;
      throw new RhoneError(
        "INVALID_CONFIG",
        `q8_0 pages need a multiple of 32 numbers per position; this model has ${numbers}; choose f16 or f32`,
      );
  }
}
