import { RhoneError } from "@rhone/common";
import koffi from "koffi";
import { createThreadPool } from "../backend/cpu-thread-pool.js";
import type { ContextParams } from "../bindings/llama.js";
import { native, type Pointer } from "../bindings/pointer.js";
import { findDevice } from "../native/device.js";
import type { Engine } from "../native/engine.js";
import type { NativeEngine } from "../native/load-native.js";
import { loadWholeModel, type WholeModel } from "./load-whole-model.js";

export interface ReferenceBatchOptions {
  /** Sequences that decode together. */
  readonly sequences: number;
  /** Positions that each of them may take. */
  readonly positions: number;
  readonly threads: number;
  /** One K/V buffer for all sequences, or one each. */
  readonly kvUnified: boolean;
}

interface Context {
  readonly pointer: Pointer;
  readonly freeThreads: () => void;
  readonly options: ReferenceBatchOptions;
  /** Sequence ids 0, 1, …: what the batches point into. */
  readonly ids: Int32Array;
  /** Tokens that each sequence holds. */
  readonly lengths: Int32Array;
  /** The last token of each sequence, not decoded yet. */
  readonly latest: Int32Array;
}

interface Row {
  readonly token: number;
  readonly sequence: number;
  readonly wantsLogits: boolean;
}

/** llama-server's defaults: tokens per llama_decode, and how long idle threads spin (0–100). */
const N_BATCH = 2048;
const N_UBATCH = 512;
const POLL = 50;
/** libllama rounds each sequence's share of the context up to this. */
const CONTEXT_UNIT = 256;

/**
 * llama.cpp's own engine with many sequences in each llama_decode, as llama-server runs it: the peer that benches measure
 * against. f16 K/V, flash attention as libllama decides, weights repacked where it does so. It blocks the event loop.
 */
export class ReferenceBatch {
  readonly nVocab: number;
  readonly #engine: NativeEngine;
  readonly #whole: WholeModel;
  #context: Context | null = null;
  #open = true;

  private constructor(engine: NativeEngine, whole: WholeModel) {
    this.#engine = engine;
    this.#whole = whole;
    this.nVocab = whole.nVocab;
  }

  /** Throws MODEL_NOT_FOUND, GGUF_MALFORMED with libllama's complaint. */
  static open(engine: Engine, path: string): ReferenceBatch {
    return new ReferenceBatch(engine[native], loadWholeModel(engine, path));
  }

  /** Makes an empty context in place of the one before. Throws OUT_OF_MEMORY when it can't be made. */
  begin(options: ReferenceBatchOptions): void {
    if (!this.#open) throw new RhoneError("GGML_FAILED", "A reference batch was used after it was closed.");
    this.#freeContext();
    const { llama, model } = this.#whole;
    const params = contextParams(llama.contextDefaultParams(), options);
    const { result, complaints } = this.#engine.log.capture(() => llama.initFromModel(model, params));
    if (result === null) {
      throw new RhoneError("OUT_OF_MEMORY", `libllama made no context of ${params.n_ctx} positions: ${complaints}.`);
    }
    const { sequences, threads } = options;
    this.#context = {
      pointer: result,
      freeThreads: this.#attachThreads(result, threads),
      options,
      ids: Int32Array.from({ length: sequences }, (_, id) => id),
      lengths: new Int32Array(sequences),
      latest: new Int32Array(sequences),
    };
  }

  /** Decodes one prompt per sequence and returns the token that is most probable after each. Throws CONTEXT_LENGTH_EXCEEDED, GGML_FAILED. */
  prefill(prompts: readonly (readonly number[])[]): Int32Array {
    const context = this.#current();
    const rows = prompts.flatMap((prompt, sequence) =>
      prompt.map((token, at) => ({ token, sequence, wantsLogits: at + 1 === prompt.length })),
    );
    for (let start = 0; start < rows.length; start += N_BATCH)
      this.#decode(context, rows.slice(start, start + N_BATCH));
    return context.latest.slice();
  }

  /** Decodes the latest token of every sequence in one batch and returns the next ones. Throws as `prefill`. */
  step(): Int32Array {
    const context = this.#current();
    this.#decode(
      context,
      Array.from(context.latest, (token, sequence) => ({ token, sequence, wantsLogits: true })),
    );
    return context.latest.slice();
  }

  /** Forgets every token; the context stays. */
  reset(): void {
    const { pointer, lengths } = this.#current();
    this.#whole.llama.memoryClear(this.#whole.llama.getMemory(pointer), true);
    lengths.fill(0);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#freeContext();
    this.#whole.llama.modelFree(this.#whole.model);
  }

  #current(): Context {
    if (this.#context !== null) return this.#context;
    throw new RhoneError("GGML_FAILED", "A reference batch was used before begin() or after close().");
  }

  #decode(context: Context, rows: readonly Row[]): void {
    const { pointer, ids, lengths, latest } = context;
    const positions = Int32Array.from(rows, ({ sequence }) => this.#takePosition(context, sequence));
    const tokens = Int32Array.from(rows, ({ token }) => token);
    const flags = Int8Array.from(rows, ({ wantsLogits }) => (wantsLogits ? 1 : 0));
    const counts = new Int32Array(rows.length).fill(1);
    const base = koffi.address(ids);
    const sequences = BigUint64Array.from(rows, ({ sequence }) => base + 4n * BigInt(sequence));
    const address = (view: ArrayBufferView) => koffi.address(view) as Pointer;
    const status = this.#whole.llama.decode(pointer, {
      n_tokens: rows.length,
      token: address(tokens),
      embd: null,
      pos: address(positions),
      n_seq_id: address(counts),
      seq_id: address(sequences),
      logits: address(flags),
    });
    if (status !== 0) {
      const held = lengths.reduce((sum, length) => sum + length, 0);
      throw new RhoneError("GGML_FAILED", `llama_decode failed with status ${status} at ${held} positions.`);
    }
    for (const [index, { sequence, wantsLogits }] of rows.entries()) {
      if (wantsLogits) latest[sequence] = this.#bestAt(pointer, index);
    }
  }

  #takePosition({ lengths, options }: Context, sequence: number): number {
    const position = lengths[sequence] ?? 0;
    if (position >= options.positions) {
      throw new RhoneError("CONTEXT_LENGTH_EXCEEDED", `Sequence ${sequence} has ${position} positions, and no room.`);
    }
    lengths[sequence] = position + 1;
    return position;
  }

  /** The most probable token after a row of the last batch, found in libllama's own memory. */
  #bestAt(context: Pointer, row: number): number {
    const pointer = this.#whole.llama.getLogitsIth(context, row);
    if (pointer === null) throw new RhoneError("GGML_FAILED", `libllama has no logits for row ${row} of the batch.`);
    return indexOfMax(new Float32Array(koffi.view(pointer, this.nVocab * 4)));
  }

  #attachThreads(context: Pointer, threads: number): () => void {
    const [engine, { llama }] = [this.#engine, this.#whole];
    const pool = createThreadPool({ engine, device: findDevice(engine, "CPU") }, { threads, poll: POLL });
    if (pool === null) return () => {};
    llama.attachThreadpool(context, pool.pointer, pool.pointer);
    return () => {
      llama.detachThreadpool(context);
      pool.free();
    };
  }

  #freeContext(): void {
    this.#context?.freeThreads();
    if (this.#context !== null) this.#whole.llama.free(this.#context.pointer);
    this.#context = null;
  }
}

function contextParams(defaults: ContextParams, options: ReferenceBatchOptions): ContextParams {
  const { sequences, positions, threads, kvUnified } = options;
  return {
    ...defaults,
    n_ctx: sequences * Math.ceil(positions / CONTEXT_UNIT) * CONTEXT_UNIT,
    n_batch: N_BATCH,
    n_ubatch: N_UBATCH,
    n_seq_max: sequences,
    n_threads: threads,
    n_threads_batch: threads,
    kv_unified: kvUnified,
  };
}

function indexOfMax(values: Float32Array): number {
  let best = 0;
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value > most) {
      most = value;
      best = i;
    }
  }
  return best;
}
