import { type Cipher, createCipheriv, createHash } from "node:crypto";
import { rowSize } from "@rhone/ggml";
import type { ModelShape } from "../architectures/model-shape.js";
import { tensorBytes } from "../gguf/tensor-type.js";
import type { PlannedTensor } from "../quantization/quantization.js";
import { blockShaper } from "./random-blocks.js";

const CHUNK_BYTES = 4 << 20;

/** Standard deviation of the logits: wide enough for clear favourites among tens of thousands of tokens. */
const LOGIT_STD = 3;

/** A tensor's bytes in pieces of whole rows. Each tensor has its own stream, so layer N is the same at any depth. */
export function* randomWeights(tensor: PlannedTensor, model: ModelShape, seed: number): Generator<Uint8Array> {
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

/**
 * The standard deviation of a matrix's random weights. With norms of 1 every matrix reads numbers of variance 1, which
 * a standard deviation of 1/sqrt(in) preserves. The matrices that write into the residual stream are also divided by
 * sqrt(2 * nLayers), so that all layers together add as much as the embedding contributes.
 */
function weightStd(tensor: PlannedTensor, model: Pick<ModelShape, "nLayers" | "tiedEmbeddings">): number {
  const fanIn = 1 / Math.sqrt(tensor.ne[0] ?? 1);
  switch (tensor.role) {
    case "tokenEmbedding":
      return model.tiedEmbeddings ? LOGIT_STD * fanIn : 1;
    case "output":
      return LOGIT_STD * fanIn;
    default:
      return tensor.traits.writesResidual === true ? fanIn / Math.sqrt(2 * model.nLayers) : fanIn;
  }
}

/**
 * An endless stream of bytes that depends on its seed only. AES in counter mode, of which processors make gigabytes per
 * second.
 */
export class RandomBytes {
  readonly #cipher: Cipher;

  constructor(seed: string) {
    const key = createHash("sha256").update(seed).digest();
    this.#cipher = createCipheriv("aes-128-ctr", key.subarray(0, 16), key.subarray(16));
  }

  /** `zeros.length` random bytes; `zeros` must be all 0 and is not changed. */
  take(zeros: Uint8Array): Uint8Array {
    return this.#cipher.update(zeros);
  }
}
