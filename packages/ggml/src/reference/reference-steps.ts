import { RhoneError } from "@rhone/common";
import koffi from "koffi";
import type { LlamaBindings } from "../bindings/llama.js";
import { native, type Pointer } from "../bindings/pointer.js";
import type { Engine } from "../native/engine.js";
import { loadWholeModel } from "./load-whole-model.js";

export interface ReferenceStepsOptions {
  readonly threads: number;
  /** Positions that each sequence may reach. */
  readonly positions: number;
  readonly sequences: number;
}

/** One row of a `llama_decode` call. */
export interface ReferenceRow {
  readonly token: number;
  readonly position: number;
  readonly sequence: number;
  readonly logits: boolean;
}

/** llama.cpp's own engine over a whole GGUF file, many sequences in one call: what benches compare with. It blocks the event loop. */
export class ReferenceSteps {
  readonly #llama: LlamaBindings;
  readonly #model: Pointer;
  readonly #context: Pointer;

  private constructor(llama: LlamaBindings, model: Pointer, context: Pointer) {
    this.#llama = llama;
    this.#model = model;
    this.#context = context;
  }

  /** Throws MODEL_NOT_FOUND, GGUF_MALFORMED, and OUT_OF_MEMORY with libllama's complaint. */
  static open(engine: Engine, path: string, { threads, positions, sequences }: ReferenceStepsOptions): ReferenceSteps {
    const { log } = engine[native];
    const { llama, model } = loadWholeModel(engine, path);
    const context = log.capture(() =>
      llama.initFromModel(model, {
        ...llama.contextDefaultParams(),
        n_ctx: sequences * positions,
        n_batch: 2048,
        n_seq_max: sequences,
        n_threads: threads,
        n_threads_batch: threads,
      }),
    );
    if (context.result !== null) return new ReferenceSteps(llama, model, context.result);
    llama.modelFree(model);
    throw new RhoneError("OUT_OF_MEMORY", `libllama made no context: ${context.complaints}.`);
  }

  /** One `llama_decode`. Throws GGML_FAILED. */
  decode(rows: readonly ReferenceRow[]): void {
    const address = (view: ArrayBufferView) => koffi.address(view) as Pointer;
    const column = (of: (row: ReferenceRow) => number) => Int32Array.from(rows, of);
    const [tokens, positions, sequences, ones] = [
      column(({ token }) => token),
      column(({ position }) => position),
      column(({ sequence }) => sequence),
      column(() => 1),
    ];
    const first = koffi.address(sequences) as bigint;
    const pointers = BigUint64Array.from(rows, (_, i) => first + BigInt(4 * i));
    const flags = Int8Array.from(rows, ({ logits }) => (logits ? 1 : 0));
    const status = this.#llama.decode(this.#context, {
      n_tokens: rows.length,
      token: address(tokens),
      embd: null,
      pos: address(positions),
      n_seq_id: address(ones),
      seq_id: address(pointers),
      logits: address(flags),
    });
    if (status !== 0) throw new RhoneError("GGML_FAILED", `llama_decode failed with status ${status}.`);
    const last = rows.length - 1;
    if (rows[last]?.logits === true) this.#llama.getLogitsIth(this.#context, last);
  }

  /** Gives `to` a copy of everything that `from` holds. */
  copy(from: number, to: number): void {
    this.#llama.memorySeqCp(this.#llama.getMemory(this.#context), from, to, -1, -1);
  }

  /** Forgets the sequence's positions from `position` on. */
  truncate(sequence: number, position: number): void {
    this.#llama.memorySeqRm(this.#llama.getMemory(this.#context), sequence, position, -1);
  }

  /** Forgets everything. */
  clear(): void {
    this.#llama.memoryClear(this.#llama.getMemory(this.#context), false);
  }

  close(): void {
    this.#llama.free(this.#context);
    this.#llama.modelFree(this.#model);
  }
}
