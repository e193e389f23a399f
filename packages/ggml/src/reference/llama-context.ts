import { RhoneError } from "@rhone/common/rhone-error";
import koffi from "koffi";
import { createThreadPool } from "../backend/cpu-thread-pool.js";
import type { LlamaBindings } from "../bindings/llama.js";
import type { Pointer } from "../bindings/pointer.js";
import { findDevice } from "../native/device.js";
import type { NativeEngine } from "../native/load-native.js";

/** One row of a `llama_decode` call. */
export interface ReferenceRow {
  readonly token: number;
  readonly position: number;
  readonly sequence: number;
  /** Whether the logits after this row are wanted. */
  readonly logits: boolean;
}

/** A libllama context: K/V of one or more sequences, and the results of the last call. */
export class LlamaContext {
  readonly #engine: NativeEngine;
  readonly #llama: LlamaBindings;
  readonly #context: Pointer;
  #freeThreads: () => void = () => {};

  /** @internal Comes from `WholeModel.newContext`. */
  constructor(engine: NativeEngine, context: Pointer) {
    this.#engine = engine;
    this.#llama = engine.llama();
    this.#context = context;
  }

  get positions(): number {
    return this.#llama.nCtx(this.#context);
  }

  /** Computes on threads that outlive a call; without them ggml starts its threads again for each one. */
  useThreadPool(threads: number, poll: number): void {
    const device = findDevice(this.#engine, "CPU");
    const pool = createThreadPool({ engine: this.#engine, device }, { threads, poll });
    if (pool === null) return;
    this.#llama.attachThreadpool(this.#context, pool.pointer, pool.pointer);
    this.#freeThreads = () => {
      this.#llama.detachThreadpool(this.#context);
      pool.free();
    };
  }

  /** One `llama_decode`. Blocks the event loop. Throws GGML_FAILED. */
  decode(rows: readonly ReferenceRow[]): void {
    const column = (of: (row: ReferenceRow) => number) => Int32Array.from(rows, of);
    const columns = {
      token: column(({ token }) => token),
      pos: column(({ position }) => position),
      n_seq_id: column(() => 1),
      logits: Int8Array.from(rows, ({ logits }) => (logits ? 1 : 0)),
    };
    const ids = column(({ sequence }) => sequence);
    const first = koffi.address(ids);
    const seq_id = BigUint64Array.from(rows, (_, i) => first + BigInt(4 * i));
    const status = this.#llama.decode(this.#context, { ...columns, n_tokens: rows.length, embd: null, seq_id });
    if (status === 0) return;
    const message = `llama_decode of ${ids.length} rows failed with status ${status}.`;
    throw new RhoneError("GGML_FAILED", message);
  }

  /** Logits after row `index` of the last call, f32 [nVocab], in libllama's own memory: valid until the next call. */
  logitsAt(index: number, nVocab: number): Float32Array {
    const pointer = this.#llama.getLogitsIth(this.#context, index);
    if (pointer === null) throw new RhoneError("GGML_FAILED", `libllama has no logits for row ${index} of the batch.`);
    return new Float32Array(koffi.view(pointer, nVocab * 4));
  }

  /** The pooled embedding of sequence 0, f32 [nEmbd], copied. */
  embedding(nEmbd: number): Float32Array {
    const pointer = this.#llama.getEmbeddingsSeq(this.#context, 0);
    if (pointer === null) throw new RhoneError("GGML_FAILED", "libllama pooled no embedding.");
    return new Float32Array(koffi.view(pointer, nEmbd * 4).slice(0));
  }

  /** Copies all that sequence `from` holds to sequence `to`. */
  copy(from: number, to: number): void {
    this.#llama.memorySeqCp(this.#llama.getMemory(this.#context), from, to, -1, -1);
  }

  /** Forgets the sequence's positions from `position` on. */
  truncate(sequence: number, position: number): void {
    this.#llama.memorySeqRm(this.#llama.getMemory(this.#context), sequence, position, -1);
  }

  /** Forgets every token, and with `zero` overwrites the K/V buffers. */
  clear({ zero }: { readonly zero: boolean }): void {
    this.#llama.memoryClear(this.#llama.getMemory(this.#context), zero);
  }

  close(): void {
    this.#freeThreads();
    this.#llama.free(this.#context);
  }
}
