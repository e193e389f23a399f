import { Backend, chooseKernels, type Engine, GgmlType } from "@rhone/ggml";
import { openGguf, readModelConfig } from "@rhone/model";
import type { rhone } from "@rhone/proto";
import { fileAtPath } from "@rhone/weights";
import { type ComputingShard, loadShard } from "../shard/load-shard.js";
import { readStep } from "../wire/read-step.js";
import type { BenchOptions } from "./bench-options.js";

const PAGE_SIZE = 32;
const MOST_ROWS = 512;

/** How a sequence draws, as on the wire. */
export type Drawing = Pick<rhone.v1.SequenceOpen.$Properties, "sampling" | "constraint">;

/** A whole model on one stage, whose steps draw a token for each of many sequences. */
export class DrawingBench {
  readonly nVocab: number;
  readonly #backend: Backend;
  readonly #shard: ComputingShard;

  private constructor(backend: Backend, shard: ComputingShard, nVocab: number) {
    this.#backend = backend;
    this.#shard = shard;
    this.nVocab = nVocab;
  }

  static async open(engine: Engine, { model: path, threads, kernels }: BenchOptions): Promise<DrawingBench> {
    const backend = Backend.open(engine, { threads, kernels: chooseKernels(engine, kernels).kernels });
    const file = await openGguf(path);
    const { nLayers, vocabSize } = readModelConfig(file);
    const order = {
      model: { name: "bench", path, fingerprint: file.headerFingerprint, stamp: "", origin: "", sources: [] },
      range: { first: 0, last: nLayers, embeds: true, heads: true },
      pages: MOST_ROWS,
      pageSize: PAGE_SIZE,
      kvType: GgmlType.F16,
      slidingWindow: 0,
      maxRows: MOST_ROWS,
    };
    const signal = new AbortController().signal;
    const shard = await loadShard({ engine, backend, files: fileAtPath, order, onProgress: () => {}, signal });
    return new DrawingBench(backend, shard, vocabSize);
  }

  /** Milliseconds from the logits of each step, of at most PAGE_SIZE, to the tokens of `rows` sequences. */
  async times(drawing: Drawing, rows: number, steps: number): Promise<readonly number[]> {
    await this.#open(drawing, rows);
    const times: number[] = [];
    for (let position = 0; position < steps; position++) times.push(await this.#step(rows, position));
    return times.slice(1);
  }

  close(): void {
    this.#shard.close();
    this.#backend.close();
  }

  async #open({ sampling, constraint = null }: Drawing, rows: number): Promise<void> {
    const { stage } = this.#shard;
    const opens = sequences(rows).map((sequence) => ({
      sequence,
      sampling: { ...sampling, seed: sequence },
      constraint,
    }));
    let unready = constraint === null ? 0 : rows;
    const ready = new Promise<void>((resolve, reject) => {
      stage.reset(({ error }) => {
        if (error !== null) reject(error);
        else if (--unready === 0) resolve();
      });
    });
    const isReady = unready === 0 ? undefined : ready;
    await stage.run(readStep({ opens }, stage), GgmlType.F32);
    await isReady;
  }

  async #step(rows: number, position: number): Promise<number> {
    const { stage } = this.#shard;
    const spans = sequences(rows).map((sequence) => ({
      sequence,
      position,
      count: 1,
      pages: position === 0 ? [sequence] : [],
      sample: true,
    }));
    const tokens = new Uint8Array(Int32Array.from(sequences(rows), (sequence) => 100 + sequence).buffer);
    await stage.run(readStep({ spans, tokens }, stage), GgmlType.F32);
    return stage.phases.read;
  }
}

const sequences = (rows: number): readonly number[] => Array.from({ length: rows }, (_, sequence) => sequence);
