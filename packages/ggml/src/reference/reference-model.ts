import { RhoneError } from "@rhone/common";
import koffi from "koffi";
import type { LlamaBindings } from "../bindings/llama.js";
import { native, type Pointer } from "../bindings/pointer.js";
import type { GgmlType } from "../elements/ggml-type.js";
import type { Engine } from "../native/engine.js";
import { loadWholeModel, type WholeModel } from "./load-whole-model.js";

export interface ReferenceModelOptions {
  readonly threads: number;
  /** Positions that the context holds. */
  readonly nCtx: number;
  /** Tokens per native call; 512 when absent. */
  readonly nBatch?: number;
  /** Element type of the K/V cache; GgmlType.F16 when absent. */
  readonly kvType?: GgmlType;
  /** For `embed`; a model that is opened so gives no logits. */
  readonly embeds?: boolean;
}

/** `LLAMA_POOLING_TYPE_MEAN` */
const POOLING_TYPE_MEAN = 1;

/** llama.cpp's own engine over a whole GGUF file, one sequence at a time: what tests compare with. It blocks the event loop. */
export class ReferenceModel {
  readonly nVocab: number;
  readonly #llama: LlamaBindings;
  readonly #model: Pointer;
  readonly #context: Pointer;
  readonly #nBatch: number;
  #position = 0;
  #open = true;

  private constructor({ llama, model, nVocab }: WholeModel, context: Pointer, nBatch: number) {
    this.#llama = llama;
    this.#model = model;
    this.#context = context;
    this.#nBatch = nBatch;
    this.nVocab = nVocab;
  }

  /** Throws MODEL_NOT_FOUND, GGUF_MALFORMED with libllama's complaint, OUT_OF_MEMORY when the context can't be made. */
  static open(engine: Engine, path: string, options: ReferenceModelOptions): ReferenceModel {
    const { log } = engine[native];
    const whole = loadWholeModel(engine, path);
    const { llama, model } = whole;
    const nBatch = options.nBatch ?? 512;
    const context = log.capture(() => llama.initFromModel(model, contextParams(llama, options, nBatch)));
    if (context.result !== null) return new ReferenceModel(whole, context.result, nBatch);
    llama.modelFree(model);
    throw new RhoneError(
      "OUT_OF_MEMORY",
      `libllama made no context of ${options.nCtx} positions: ${context.complaints}.`,
    );
  }

  /** How many tokens the context holds. */
  get position(): number {
    return this.#position;
  }

  /**
   * Appends `tokens` and returns logits: f32 [tokens.length, nVocab] for "all", [nVocab], those of the last token, for "last".
   * Throws CONTEXT_LENGTH_EXCEEDED, GGML_FAILED.
   */
  decode(tokens: ArrayLike<number>, wanted: "all" | "last" = "last"): Float32Array {
    this.#checkOpen();
    this.#checkRoom(tokens.length);
    const logits = new Float32Array(wanted === "all" ? tokens.length * this.nVocab : this.nVocab);
    for (let start = 0; start < tokens.length; start += this.#nBatch) {
      const part = Int32Array.from(tokens).subarray(start, start + this.#nBatch);
      const isLast = start + part.length === tokens.length;
      this.#decodePart(part, wanted === "all" ? "all" : isLast ? "last" : "none");
      if (wanted === "last" && isLast) logits.set(this.#logitsAt(part.length - 1));
      if (wanted === "last") continue;
      for (const i of part.keys()) logits.set(this.#logitsAt(i), (start + i) * this.nVocab);
    }
    return logits;
  }

  /**
   * The mean of the hidden states of `tokens` after the final norm, f32 [dim], pooled by libllama; forgets what came before.
   * Needs `embeds`, and room for all tokens in one native call. Throws CONTEXT_LENGTH_EXCEEDED, GGML_FAILED.
   */
  embed(tokens: ArrayLike<number>): Float32Array {
    this.reset();
    this.#checkRoom(tokens.length, this.#nBatch);
    this.#decodePart(Int32Array.from(tokens), "all");
    const pointer = this.#llama.getEmbeddingsSeq(this.#context, 0);
    if (pointer === null) throw new RhoneError("GGML_FAILED", "libllama pooled no embedding.");
    return new Float32Array(koffi.view(pointer, this.#llama.modelNEmbdOut(this.#model) * 4).slice(0));
  }

  /** Appends `prompt` and then `count` tokens, each the most probable; returns those. Not stopped by any token. */
  generateGreedy(prompt: ArrayLike<number>, count: number): Int32Array {
    const generated = new Int32Array(count);
    let logits = this.decode(prompt);
    for (let i = 0; i < count; i++) {
      const best = logits.reduce((at, value, id) => (value > (logits[at] ?? 0) ? id : at), 0);
      generated[i] = best;
      if (i + 1 < count) logits = this.decode([best]);
    }
    return generated;
  }

  /** Forgets every token. */
  reset(): void {
    this.#checkOpen();
    this.#llama.memoryClear(this.#llama.getMemory(this.#context), true);
    this.#position = 0;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#llama.free(this.#context);
    this.#llama.modelFree(this.#model);
  }

  #decodePart(tokens: Int32Array, wanted: "all" | "last" | "none"): void {
    const count = tokens.length;
    const positions = tokens.map((_, i) => this.#position + i);
    const sequence = Int32Array.of(0);
    const sequences = new BigUint64Array(count).fill(koffi.address(sequence));
    const sequenceCounts = new Int32Array(count).fill(1);
    const flags = new Int8Array(count).fill(wanted === "all" ? 1 : 0);
    if (wanted === "last") flags[count - 1] = 1;
    const address = (view: ArrayBufferView) => koffi.address(view) as Pointer;
    const status = this.#llama.decode(this.#context, {
      n_tokens: count,
      token: address(tokens),
      embd: null,
      pos: address(positions),
      n_seq_id: address(sequenceCounts),
      seq_id: address(sequences),
      logits: address(flags),
    });
    if (status !== 0)
      throw new RhoneError("GGML_FAILED", `llama_decode failed with status ${status} at position ${this.#position}.`);
    this.#position += count;
  }

  #logitsAt(index: number): Float32Array {
    const pointer = this.#llama.getLogitsIth(this.#context, index);
    if (pointer === null)
      throw new RhoneError("GGML_FAILED", `libllama has no logits for token ${index} of the batch.`);
    return new Float32Array(koffi.view(pointer, this.nVocab * 4));
  }

  #checkOpen(): void {
    if (!this.#open) throw new RhoneError("GGML_FAILED", "A reference model was used after it was closed.");
  }

  #checkRoom(count: number, room = this.#llama.nCtx(this.#context)): void {
    if (count > 0 && this.#position + count <= room) return;
    throw new RhoneError(
      "CONTEXT_LENGTH_EXCEEDED",
      `${count} tokens after ${this.#position} don't fit a context of ${room}.`,
    );
  }
}

function contextParams(llama: LlamaBindings, options: ReferenceModelOptions, nBatch: number) {
  const { nCtx, threads, kvType, embeds = false } = options;
  const params = llama.contextDefaultParams();
  const type = kvType ?? params.type_k;
  return {
    ...params,
    n_ctx: nCtx,
    n_batch: nBatch,
    // A mean is taken over what is computed at once.
    n_ubatch: embeds ? nBatch : Math.min(nBatch, params.n_ubatch),
    ...(embeds && { embeddings: true, pooling_type: POOLING_TYPE_MEAN }),
    n_threads: threads,
    n_threads_batch: threads,
    type_k: type,
    type_v: type,
  };
}
