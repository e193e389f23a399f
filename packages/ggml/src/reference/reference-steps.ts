import type { Engine } from "../native/engine.js";
import type { LlamaContext, ReferenceRow } from "./llama-context.js";
import { WholeModel } from "./whole-model.js";

export interface ReferenceStepsOptions {
  readonly threads: number;
  /** Most positions of a sequence. */
  readonly positions: number;
  readonly sequences: number;
}

/** Single `llama_decode` calls over many sequences, with rows of the caller's choice: benches time them. */
export class ReferenceSteps {
  readonly #model: WholeModel;
  readonly #context: LlamaContext;
  readonly #nVocab: number;

  private constructor(model: WholeModel, context: LlamaContext) {
    this.#model = model;
    this.#context = context;
    this.#nVocab = model.nVocab;
  }

  /** Throws MODEL_NOT_FOUND, GGUF_MALFORMED, and OUT_OF_MEMORY with libllama's complaint. */
  static open(engine: Engine, path: string, { threads, positions, sequences }: ReferenceStepsOptions): ReferenceSteps {
    const model = WholeModel.open(engine, path);
    try {
      const context = model.newContext({
        n_ctx: sequences * positions,
        n_batch: 2048,
        n_seq_max: sequences,
        n_threads: threads,
        n_threads_batch: threads,
      });
      return new ReferenceSteps(model, context);
    } catch (error) {
      model.close();
      throw error;
    }
  }

  /** Computes the rows in one call and waits for the last one's logits, if it wants them. Throws GGML_FAILED. */
  decode(rows: readonly ReferenceRow[]): void {
    this.#context.decode(rows);
    const last = rows.length - 1;
    if (rows[last]?.logits === true) this.#context.logitsAt(last, this.#nVocab);
  }

  /** Copies all that sequence `from` holds to sequence `to`. */
  copy(from: number, to: number): void {
    this.#context.copy(from, to);
  }

  /** Forgets the sequence's positions from `position` on. */
  truncate(sequence: number, position: number): void {
    this.#context.truncate(sequence, position);
  }

  /** Forgets every token. */
  clear(): void {
    this.#context.clear({ zero: false });
  }

  close(): void {
    this.#context.close();
    this.#model.close();
  }
}
