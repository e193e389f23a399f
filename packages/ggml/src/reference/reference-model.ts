import { RhoneError } from "@rhone/common/rhone-error";
import type { GgmlType } from "../elements/ggml-type.js";
import type { Engine } from "../native/engine.js";
import { indexOfMax } from "../sampling/log-probs.js";
import type { LlamaContext } from "./llama-context.js";
import { WholeModel } from "./whole-model.js";

export interface ReferenceModelOptions {
  readonly threads: number;
  /** Positions of the context. */
  readonly nCtx: number;
  /** Most tokens per native call; 512 when absent. */
  readonly nBatch?: number;
  /** Element type of the K/V cache; GgmlType.F16 when absent. */
  readonly kvType?: GgmlType;
  /** Open for `embed`: the model then gives no logits. */
  readonly embeds?: boolean;
}

/** `LLAMA_POOLING_TYPE_MEAN` */
const POOLING_TYPE_MEAN = 1;

/**
 * llama.cpp's own engine over a whole GGUF file, one sequence at a time: tests compare with it. It blocks the event
 * loop.
 */
export class ReferenceModel {
  readonly nVocab: number;
  readonly #model: WholeModel;
  readonly #context: LlamaContext;
  readonly #nBatch: number;
  #position = 0;
  #open = true;

  private constructor(model: WholeModel, context: LlamaContext, nBatch: number) {
    this.#model = model;
    this.#context = context;
    this.#nBatch = nBatch;
    this.nVocab = model.nVocab;
  }

  /** Throws MODEL_NOT_FOUND, GGUF_MALFORMED with libllama's complaint, OUT_OF_MEMORY when the context does not fit. */
  static open(engine: Engine, path: string, options: ReferenceModelOptions): ReferenceModel {
    const model = WholeModel.open(engine, path);
    const { nBatch = 512 } = options;
    try {
      return new ReferenceModel(model, model.newContext(contextParams(options, nBatch)), nBatch);
    } catch (error) {
      model.close();
      throw error;
    }
  }

  /**
   * Appends `tokens` and returns logits: f32 [tokens.length, nVocab] for "all", or the last token's, [nVocab], for
   * "last". Throws CONTEXT_LENGTH_EXCEEDED, GGML_FAILED.
   */
  decode(tokens: ArrayLike<number>, wanted: "all" | "last" = "last"): Float32Array {
    this.#checkOpen();
    this.#checkRoom(tokens.length, this.#context.positions);
    const logits = new Float32Array(wanted === "all" ? tokens.length * this.nVocab : this.nVocab);
    for (let start = 0; start < tokens.length; start += this.#nBatch) {
      const part = Array.from(tokens).slice(start, start + this.#nBatch);
      const isLast = start + part.length === tokens.length;
      this.#append(part, (row) => wanted === "all" || (isLast && row + 1 === part.length));
      if (wanted === "all")
        for (const i of part.keys()) logits.set(this.#context.logitsAt(i, this.nVocab), (start + i) * this.nVocab);
      else if (isLast) logits.set(this.#context.logitsAt(part.length - 1, this.nVocab));
    }
    return logits;
  }

  /**
   * The mean of the hidden states of `tokens` after the final norm, f32 [dim], pooled by libllama; forgets earlier
   * tokens. Needs `embeds`, and room for all tokens in one native call. Throws CONTEXT_LENGTH_EXCEEDED, GGML_FAILED.
   */
  embed(tokens: ArrayLike<number>): Float32Array {
    this.reset();
    this.#checkRoom(tokens.length, this.#nBatch);
    this.#append(Array.from(tokens), () => true);
    return this.#context.embedding(this.#model.nEmbd);
  }

  /** Appends `prompt`, then `count` times the most probable token; returns those tokens. No token stops it. */
  generateGreedy(prompt: ArrayLike<number>, count: number): Int32Array {
    const generated = new Int32Array(count);
    let logits = this.decode(prompt);
    for (let i = 0; i < count; i++) {
      const best = indexOfMax(logits);
      generated[i] = best;
      if (i + 1 < count) logits = this.decode([best]);
    }
    return generated;
  }

  /** Forgets every token. */
  reset(): void {
    this.#checkOpen();
    this.#context.clear({ zero: true });
    this.#position = 0;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#context.close();
    this.#model.close();
  }

  #append(tokens: readonly number[], wantsLogits: (row: number) => boolean): void {
    const start = this.#position;
    this.#context.decode(
      tokens.map((token, i) => ({ token, position: start + i, sequence: 0, logits: wantsLogits(i) })),
    );
    this.#position += tokens.length;
  }

  #checkOpen(): void {
    if (!this.#open) throw new RhoneError("GGML_FAILED", "A reference model was used after it was closed.");
  }

  #checkRoom(count: number, room: number): void {
    if (count > 0 && this.#position + count <= room) return;
    const message = `${count} tokens after ${this.#position} don't fit in a context of ${room}; give at least one.`;
    throw new RhoneError("CONTEXT_LENGTH_EXCEEDED", message);
  }
}

function contextParams({ nCtx, threads, kvType, embeds = false }: ReferenceModelOptions, nBatch: number) {
  return {
    n_ctx: nCtx,
    n_batch: nBatch,
    // libllama pools the rows that it computes together.
    ...(embeds && { n_ubatch: nBatch, embeddings: true, pooling_type: POOLING_TYPE_MEAN }),
    n_threads: threads,
    n_threads_batch: threads,
    ...(kvType !== undefined && { type_k: kvType, type_v: kvType }),
  };
}
