import type { Engine } from "@rhone/ggml";
import { ReferenceSteps } from "@rhone/ggml/reference";
import { type BenchOptions, tokenAt } from "./bench-options.js";

/** The same steps by llama_decode, without sampling. */
export class LlamaBench {
  readonly #reference: ReferenceSteps;
  #batch = 0;
  #context = 0;

  private constructor(reference: ReferenceSteps) {
    this.#reference = reference;
  }

  static open(engine: Engine, { model, threads, batches, contexts, prefills, steps }: BenchOptions): LlamaBench {
    const positions = Math.max(...contexts.map((context) => context + steps + 1), ...prefills);
    // llama.cpp pads each sequence's share of the context to 256.
    const padded = Math.ceil(positions / 256) * 256;
    return new LlamaBench(
      ReferenceSteps.open(engine, model, { threads, positions: padded, sequences: Math.max(1, ...batches) }),
    );
  }

  /** Milliseconds of each step. */
  decode(batch: number, context: number, steps: number): readonly number[] {
    this.#prepare(batch, context);
    const times: number[] = [];
    for (let step = 0; step <= steps; step++) {
      const rows = Array.from({ length: batch }, (_, sequence) => ({
        token: tokenAt(sequence),
        position: context + step,
        sequence,
        logits: true,
      }));
      const ms = this.#decode(rows);
      if (step > 0) times.push(ms);
    }
    for (let sequence = 0; sequence < batch; sequence++) this.#reference.truncate(sequence, context);
    return times;
  }

  /** Milliseconds of one call over a new prompt. */
  prefill(rows: number): number {
    this.#reference.clear();
    this.#batch = 0;
    return this.#decode(promptRows(rows));
  }

  close(): void {
    this.#reference.close();
  }

  /** Fills `batch` sequences with `context` positions, unless they are already. */
  #prepare(batch: number, context: number): void {
    if (this.#batch >= batch && this.#context === context) return;
    this.#reference.clear();
    this.#reference.decode(promptRows(context));
    for (let sequence = 1; sequence < batch; sequence++) this.#reference.copy(0, sequence);
    this.#batch = batch;
    this.#context = context;
  }

  #decode(rows: Parameters<ReferenceSteps["decode"]>[0]): number {
    const start = performance.now();
    this.#reference.decode(rows);
    return performance.now() - start;
  }
}

const promptRows = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    token: tokenAt(i),
    position: i,
    sequence: 0,
    logits: i === count - 1,
  }));
