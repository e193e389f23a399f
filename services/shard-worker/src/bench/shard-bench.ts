import { Backend, chooseKernels, type Engine, GgmlType } from "@rhone/ggml";
import { openGguf, readModelConfig } from "@rhone/model";
import { rhone } from "@rhone/proto";
import { fileAtPath } from "@rhone/weights";
import { type ComputingShard, loadShard } from "../shard/load-shard.js";
import type { PhaseTimes } from "../stage/phase-clock.js";
import { readStep } from "../wire/read-step.js";
import { type BenchOptions, tokenAt } from "./bench-options.js";

/** Milliseconds of one step, and where they went. */
export interface BenchedStep extends PhaseTimes {
  readonly total: number;
}

const PAGE_SIZE = 32;

/**
 * A shard that runs the bench's steps. Pages of the sequences interleave, as those of sequences that grew together do.
 */
export class ShardBench {
  readonly #backend: Backend;
  readonly #shard: ComputingShard;
  readonly #dim: number;
  readonly #embeds: boolean;

  private constructor(backend: Backend, shard: ComputingShard, { dim, embeds }: { dim: number; embeds: boolean }) {
    this.#backend = backend;
    this.#shard = shard;
    this.#dim = dim;
    this.#embeds = embeds;
  }

  static async open(engine: Engine, options: BenchOptions): Promise<ShardBench> {
    const { model: path, threads, batches, contexts, prefills, steps } = options;
    const backend = Backend.open(engine, { threads, kernels: chooseKernels(engine, options.kernels).kernels });
    const file = await openGguf(path);
    const { nLayers, dim } = readModelConfig(file);
    const [firstLayer, lastLayer] = options.layers ?? [0, nLayers];
    const decodePages = Math.max(0, ...batches) * pagesOf(Math.max(0, ...contexts) + steps + 1);
    const range = { first: firstLayer, last: lastLayer, embeds: firstLayer === 0, heads: lastLayer === nLayers };
    const order = {
      model: { name: "bench", path, fingerprint: file.headerFingerprint, stamp: "", origin: "", sources: [] },
      range,
      pages: Math.max(decodePages, pagesOf(Math.max(0, ...prefills))),
      pageSize: PAGE_SIZE,
      kvType: GgmlType.F16,
      slidingWindow: 0,
      maxRows: Math.max(1, ...batches, ...prefills),
    };
    const signal = new AbortController().signal;
    const shard = await loadShard({ engine, backend, files: fileAtPath, order, onProgress: () => {}, signal });
    return new ShardBench(backend, shard, { dim, embeds: range.embeds });
  }

  /**
   * Steps of one new token for each of `batch` sequences with `context` positions, whose keys and values are those left
   * in the pages.
   */
  async decode(batch: number, context: number, steps: number): Promise<readonly BenchedStep[]> {
    const pages = pagesOf(context + steps + 1);
    const times: BenchedStep[] = [];
    for (let step = 0; step <= steps; step++) {
      const spans = Array.from({ length: batch }, (_, sequence) => ({
        sequence,
        position: context + step,
        count: 1,
        pages: step === 0 ? Array.from({ length: pages }, (_, page) => page * batch + sequence) : [],
        firstPage: 0,
        sample: true,
      }));
      const time = await this.#step(spans, step === 0 ? batch : 0);
      if (step > 0) times.push(time);
    }
    this.#shard.stage.reset(() => {});
    return times;
  }

  /** One step over a new prompt of `rows` tokens. */
  async prefill(rows: number): Promise<BenchedStep> {
    const pages = Array.from({ length: pagesOf(rows) }, (_, page) => page);
    const span = { sequence: 0, position: 0, count: rows, pages, firstPage: 0, sample: true };
    const time = await this.#step([span], 1);
    this.#shard.stage.reset(() => {});
    return time;
  }

  /** "ggml", or our kernels by name. */
  get kernels(): string {
    return this.#backend.kernels?.variant ?? "ggml";
  }

  close(): void {
    this.#shard.close();
    this.#backend.close();
  }

  async #step(spans: readonly rhone.v1.Span.$Properties[], opens: number): Promise<BenchedStep> {
    const { stage } = this.#shard;
    const rows = spans.reduce((sum, { count }) => sum + (count ?? 0), 0);
    const sampling = { temperature: 0, topP: 1, repetitionPenalty: 1 };
    const hidden = new Uint8Array(new Uint16Array(rows * this.#dim).fill(0x2e66).buffer);
    const message = {
      tokens: new Uint8Array(Int32Array.from({ length: rows }, (_, i) => tokenAt(i)).buffer),
      ...(!this.#embeds && { hidden, hiddenType: rhone.v1.ActivationType.ACTIVATION_F16 }),
      opens: Array.from({ length: opens }, (_, sequence) => ({ sequence, sampling })),
      spans: [...spans],
    };
    const start = performance.now();
    await stage.run(readStep(message, stage), GgmlType.F16);
    return { ...stage.phases, total: performance.now() - start };
  }
}

const pagesOf = (positions: number): number => Math.ceil(positions / PAGE_SIZE);
