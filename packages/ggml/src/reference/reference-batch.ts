import { RhoneError } from "@rhone/common/rhone-error";
import type { Engine } from "../native/engine.js";
import { indexOfMax } from "../sampling/log-probs.js";
import type { LlamaContext, ReferenceRow } from "./llama-context.js";
import { WholeModel } from "./whole-model.js";

export interface ReferenceBatchOptions {
  /** Sequences that decode together. */
  readonly sequences: number;
  /** Most positions of each sequence. */
  readonly positions: number;
  readonly threads: number;
  /** One K/V buffer for all sequences, or one each. */
  readonly kvUnified: boolean;
}

interface RunningBatch {
  readonly context: LlamaContext;
  readonly positions: number;
  /** Tokens that each sequence holds. */
  readonly lengths: Int32Array;
  /** The last token of each sequence, not decoded yet. */
  readonly latest: Int32Array;
}

/** llama-server's defaults: rows per llama_decode and per computation, and how long idle threads spin (0 to 100). */
const N_BATCH = 2048;
const N_UBATCH = 512;
const POLL = 50;
/** libllama rounds each sequence's share of the context up to a multiple of this. */
const CONTEXT_UNIT = 256;

/**
 * llama.cpp's own engine with many sequences in each llama_decode, as llama-server runs it: benches measure against it.
 * f16 K/V, flash attention and repacked weights as libllama decides. It blocks the event loop.
 */
export class ReferenceBatch {
  readonly nVocab: number;
  readonly #model: WholeModel;
  #batch: RunningBatch | null = null;

  private constructor(model: WholeModel) {
    this.#model = model;
    this.nVocab = model.nVocab;
  }

  /** Throws MODEL_NOT_FOUND, GGUF_MALFORMED with libllama's complaint. */
  static open(engine: Engine, path: string): ReferenceBatch {
    return new ReferenceBatch(WholeModel.open(engine, path));
  }

  /** Replaces the context by an empty one. Throws OUT_OF_MEMORY when it does not fit. */
  begin(options: ReferenceBatchOptions): void {
    const { sequences, positions, threads } = options;
    this.#end();
    const context = this.#model.newContext(contextParams(options));
    context.useThreadPool(threads, POLL);
    this.#batch = { context, positions, lengths: new Int32Array(sequences), latest: new Int32Array(sequences) };
  }

  /**
   * Decodes one prompt per sequence and returns the most probable token after each, i32 [sequences].
   * Throws CONTEXT_LENGTH_EXCEEDED, GGML_FAILED.
   */
  prefill(prompts: readonly (readonly number[])[]): Int32Array {
    const batch = this.#current();
    const rows = prompts.flatMap((prompt, sequence) =>
      prompt.map((token, at) => ({
        token,
        sequence,
        position: takePosition(batch, sequence),
        logits: at + 1 === prompt.length,
      })),
    );
    for (let start = 0; start < rows.length; start += N_BATCH) this.#decode(batch, rows.slice(start, start + N_BATCH));
    return batch.latest.slice();
  }

  /** Decodes the latest token of every sequence in one batch and returns the next ones. Throws as `prefill` does. */
  step(): Int32Array {
    const batch = this.#current();
    const rows = Array.from(batch.latest, (token, sequence) => {
      return { token, sequence, position: takePosition(batch, sequence), logits: true };
    });
    this.#decode(batch, rows);
    return batch.latest.slice();
  }

  /** Forgets every token; the context stays. */
  reset(): void {
    const { context, lengths } = this.#current();
    context.clear({ zero: true });
    lengths.fill(0);
  }

  close(): void {
    this.#end();
    this.#model.close();
  }

  #current(): RunningBatch {
    if (this.#batch !== null) return this.#batch;
    throw new RhoneError("GGML_FAILED", "A reference batch was used before begin() or after close().");
  }

  #decode({ context, latest }: RunningBatch, rows: readonly ReferenceRow[]): void {
    context.decode(rows);
    for (const [index, { sequence, logits }] of rows.entries()) {
      if (logits) latest[sequence] = indexOfMax(context.logitsAt(index, this.nVocab));
    }
  }

  #end(): void {
    this.#batch?.context.close();
    this.#batch = null;
  }
}

function takePosition({ lengths, positions }: RunningBatch, sequence: number): number {
  const position = lengths[sequence] ?? 0;
  if (position >= positions) {
    const message = `Sequence ${sequence} already has ${position} positions, the most that this batch allows.`;
    throw new RhoneError("CONTEXT_LENGTH_EXCEEDED", message);
  }
  lengths[sequence] = position + 1;
  return position;
}

function contextParams({ sequences, positions, threads, kvUnified }: ReferenceBatchOptions) {
  return {
    n_ctx: sequences * Math.ceil(positions / CONTEXT_UNIT) * CONTEXT_UNIT,
    n_batch: N_BATCH,
    n_ubatch: N_UBATCH,
    n_seq_max: sequences,
    n_threads: threads,
    n_threads_batch: threads,
    kv_unified: kvUnified,
  };
}
