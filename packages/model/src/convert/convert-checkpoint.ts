import { type FileHandle, open } from "node:fs/promises";
import { RhoneError } from "@rhone/common/rhone-error";
import type { Engine } from "@rhone/ggml";
import type { Architecture } from "../architectures/architecture.js";
import { configMetadata } from "../config/config-metadata.js";
import { type GgufValue, gguf } from "../gguf/gguf-value.js";
import { GgufWriter } from "../gguf/gguf-writer.js";
import { fileTypeOf, type PlannedTensor, planTensors, type Quantization } from "../quantization/quantization.js";
import { matchCheckpoint } from "./checkpoint-tensors.js";
import { convertRows, interleaveHeads } from "./convert-rows.js";
import { type CheckpointConfig, readHuggingFaceConfig } from "./hugging-face-config.js";
import { checkpointName, openCheckpoint } from "./open-checkpoint.js";
import { llama3RopeFactors } from "./rope.js";
import { type CheckpointTensor, dtypeBytes } from "./safetensors.js";
import { readTokenizerMetadata } from "./tokenizer-metadata.js";

export interface ConvertRequest {
  /** A Hugging Face directory: config.json, safetensors, and a tokenizer. */
  readonly dir: string;
  /** The GGUF file to write. */
  readonly out: string;
  readonly type: Quantization;
  /** Path of a `tokenizer.model` or `tokenizer.json` outside `dir`; `none` writes a file that serves token ids only. */
  readonly tokenizer?: string | "none";
  /** `general.name`; the checkpoint's name when absent. */
  readonly name?: string;
  /** The architectures to choose from; those that Rhone serves when absent. */
  readonly architectures?: readonly Architecture[];
  readonly onProgress?: (progress: ConvertProgress) => void;
  /** Told what will surprise the model's users, as sentences. */
  readonly onWarning?: (text: string) => void;
  readonly signal?: AbortSignal;
}

export interface ConvertProgress {
  /** GGUF name of the tensor that was just written. */
  readonly tensor: string;
  readonly tensors: number;
  readonly totalTensors: number;
}

/** About how much of a checkpoint is in memory at a time. */
const CHUNK_BYTES = 16 << 20;

/**
 * Converts a Hugging Face checkpoint to GGUF, some rows at a time, so it needs little memory for a model of any size.
 * Returns the file's size in bytes. Types follow `storageType`; no tensor is left out. The file gets its name when it
 * is complete. Throws CHECKPOINT_MALFORMED, MODEL_UNSUPPORTED, TENSOR_MISSING, TENSOR_UNEXPECTED,
 * TENSOR_TYPE_UNSUPPORTED, TOKENIZER_UNSUPPORTED, DISK_FULL; what `signal` aborts throws its reason.
 */
export async function convertCheckpoint(engine: Engine, request: ConvertRequest): Promise<number> {
  const { dir, name = checkpointName(dir), architectures, tokenizer: source, onWarning } = request;
  const config = { ...(await readHuggingFaceConfig(dir, architectures)), name };
  const checkpoint = await openCheckpoint(dir);
  const tensors = planTensors(config, request.type, ({ checkpointName = "" }) => checkpoint.has(checkpointName));
  const sources = matchCheckpoint(checkpoint, tensors, { dir, config });
  const metadata = new Map<string, GgufValue>([
    ...configMetadata(config),
    ["general.file_type", gguf.u32(fileTypeOf(request.type))],
    ["general.quantization_version", gguf.u32(2)],
    ...(await readTokenizerMetadata({ dir, config, source, onWarning })),
  ]);
  const writer = await GgufWriter.create(request.out, { metadata, tensors });
  try {
    await writeTensors({ engine, request, config, tensors, sources, writer });
    await writer.commit();
    return writer.fileBytes;
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

interface Conversion {
  readonly engine: Engine;
  readonly request: ConvertRequest;
  readonly config: CheckpointConfig;
  readonly tensors: readonly PlannedTensor[];
  readonly sources: ReadonlyMap<string, CheckpointTensor>;
  readonly writer: GgufWriter;
}

async function writeTensors(conversion: Conversion): Promise<void> {
  const { request, tensors, sources, writer } = conversion;
  for (const [index, tensor] of tensors.entries()) {
    const source = sources.get(tensor.name);
    if (source === undefined) await writer.write(tensor.name, ropeFactorBytes(conversion.config));
    else await writeTensor(conversion, tensor, source);
    request.onProgress?.({ tensor: tensor.name, tensors: index + 1, totalTensors: tensors.length });
  }
}

async function writeTensor(
  { engine, request, config, writer }: Conversion,
  tensor: PlannedTensor,
  source: CheckpointTensor,
) {
  const { headDim, architecture } = config;
  const nPerRow = tensor.ne[0] ?? 1;
  const rowBytes = nPerRow * dtypeBytes(source.dtype);
  const isReordered = tensor.traits.rotated === true && architecture.ropeMode === "norm";
  // Rows are reordered within a head, so a piece holds whole heads.
  const rowsAtOnce = isReordered ? headDim : 1;
  const chunkBytes = Math.max(1, Math.floor(CHUNK_BYTES / (rowsAtOnce * rowBytes))) * rowsAtOnce * rowBytes;
  const handle = await open(source.path, "r");
  try {
    for (let done = 0; done < source.bytes; done += chunkBytes) {
      request.signal?.throwIfAborted();
      const length = Math.min(chunkBytes, source.bytes - done);
      const rows = await readPiece(handle, source, { done, length });
      const ordered = isReordered ? interleaveHeads(rows, { headDim, rowBytes }) : rows;
      await writer.write(tensor.name, convertRows(engine, ordered, { from: source.dtype, to: tensor.type, nPerRow }));
    }
  } finally {
    await handle.close();
  }
}

async function readPiece(
  handle: FileHandle,
  source: CheckpointTensor,
  { done, length }: { readonly done: number; readonly length: number },
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let got = 0;
  while (got < length) {
    const { bytesRead } = await handle.read(bytes, got, length - got, source.offset + done + got);
    if (bytesRead === 0) throw new RhoneError("CHECKPOINT_MALFORMED", `${source.path} ends inside ${source.name}.`);
    got += bytesRead;
  }
  return bytes;
}

function ropeFactorBytes({ llama3Rope, headDim, ropeTheta }: CheckpointConfig): Uint8Array {
  if (llama3Rope === undefined)
    throw new RhoneError("INTERNAL", "RoPE factors were planned for a checkpoint without them.");
  return new Uint8Array(llama3RopeFactors(llama3Rope, { headDim, theta: ropeTheta }).buffer);
}
