import { rowSize } from "@rhone/ggml";
import type { ModelShape } from "../architectures/model-shape.js";
import { configMetadata } from "../config/config-metadata.js";
import { gguf } from "../gguf/gguf-value.js";
import { GgufWriter } from "../gguf/gguf-writer.js";
import { tensorBytes } from "../gguf/tensor-type.js";
import { type PlannedTensor, planTensors } from "../quantization/plan-tensors.js";
import { fileTypeOf, type Quantization } from "../quantization/quantization.js";
import { weightStd } from "./initial-scale.js";
import { presetConfig } from "./presets.js";
import { blockShaper } from "./random-blocks.js";
import { RandomBytes } from "./random-bytes.js";
import { syntheticVocabulary } from "./synthetic-vocabulary.js";

export interface SynthesizeRequest {
  /** One of PRESET_NAMES. */
  readonly preset: string;
  /** Another depth than the preset's. */
  readonly layers?: number;
  readonly type: Quantization;
  /** Equal seeds give equal files. */
  readonly seed: number;
  /** The file to write. */
  readonly out: string;
  readonly onProgress?: (progress: { readonly bytes: number; readonly totalBytes: number }) => void;
  readonly signal?: AbortSignal;
}

const CHUNK_BYTES = 4 << 20;

/**
 * Writes a model of a known shape with random weights, for planning capacity and for benches: it loads and computes like the
 * real one, its logits are finite and varied, its text is noise. Returns the file's size in bytes.
 * Throws INVALID_CONFIG for an unknown preset, DISK_FULL; what `signal` aborts throws its reason. No half file stays behind.
 */
export async function synthesize(request: SynthesizeRequest): Promise<number> {
  const config = presetConfig(request.preset, request.layers);
  const tensors = planTensors(config, request.type, () => false);
  const name = `${request.preset} (random weights, seed ${request.seed})`;
  const metadata = new Map([
    ...configMetadata({ ...config, name }),
    ["general.file_type", gguf.u32(fileTypeOf(request.type))] as const,
    ["general.quantization_version", gguf.u32(2)] as const,
    ...syntheticVocabulary(config.vocabSize),
  ]);
  const writer = await GgufWriter.create(request.out, { metadata, tensors });
  try {
    const progress = startProgress(writer.fileBytes, request);
    for (const tensor of tensors) {
      for (const bytes of randomWeights(tensor, config, request.seed)) {
        request.signal?.throwIfAborted();
        await writer.write(tensor.name, bytes);
        progress(bytes.length);
      }
    }
    await writer.commit();
    return writer.fileBytes;
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** A tensor's bytes in pieces of whole rows. Each tensor has its own stream, so that layer N is the same at any depth. */
function* randomWeights(tensor: PlannedTensor, model: ModelShape, seed: number): Generator<Uint8Array> {
  if (tensor.kind !== "matrix") {
    yield new Uint8Array(new Float32Array(tensor.ne[0] ?? 0).fill(tensor.kind === "norm" ? 1 : 0).buffer);
    return;
  }
  const random = new RandomBytes(`${seed}:${tensor.name}`);
  const shape = blockShaper(tensor.type, weightStd(tensor, model));
  const rowBytes = rowSize(tensor.type, tensor.ne[0] ?? 0);
  const zeros = new Uint8Array(Math.max(1, Math.floor(CHUNK_BYTES / rowBytes)) * rowBytes);
  for (let left = tensorBytes(tensor.type, tensor.ne); left > 0; left -= zeros.length) {
    const bytes = random.take(left < zeros.length ? zeros.subarray(0, left) : zeros);
    shape(bytes);
    yield bytes;
  }
}

function startProgress(totalBytes: number, { onProgress }: SynthesizeRequest): (written: number) => void {
  let bytes = 0;
  return (written) => {
    bytes += written;
    onProgress?.({ bytes, totalBytes });
  };
}
