import { configMetadata } from "../config/config-metadata.js";
import { gguf } from "../gguf/gguf-value.js";
import { GgufWriter } from "../gguf/gguf-writer.js";
import { fileTypeOf, planTensors, type Quantization } from "../quantization/quantization.js";
import { presetConfig } from "./presets.js";
import { randomWeights } from "./random-weights.js";
import { syntheticVocabulary } from "./synthetic-vocabulary.js";

export interface SynthesizeRequest {
  /** One of PRESET_NAMES. */
  readonly preset: string;
  /** The number of layers; the preset's when absent. */
  readonly layers?: number;
  readonly type: Quantization;
  /** Equal seeds give equal files. */
  readonly seed: number;
  /** The file to write. */
  readonly out: string;
  readonly onProgress?: (progress: { readonly bytes: number; readonly totalBytes: number }) => void;
  readonly signal?: AbortSignal;
}

/**
 * Writes a model of a known shape with random weights, for capacity planning and benches: it loads and computes like
 * the real one, its logits are finite and varied, its text is noise. Returns the file's size in bytes. Throws
 * INVALID_CONFIG for an unknown preset, DISK_FULL, and the reason of `signal`; a failure leaves no file.
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

function startProgress(totalBytes: number, { onProgress }: SynthesizeRequest): (written: number) => void {
  let bytes = 0;
  return (written) => {
    bytes += written;
    onProgress?.({ bytes, totalBytes });
  };
}
