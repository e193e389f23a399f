import { type Backend, GgmlType, Graph } from "@rhone/ggml";
import { StepInputs } from "../attention/attention.js";
import { PageTable } from "../kv-cache/pages.js";
import type { LayerWeights } from "../model/load-weights.js";
import { type Shard, transformer } from "../model/transformer.js";
import { planStep, type StepSpan } from "../stage/step-plan.js";

/** Positions that each row sees, where the pages allow: a short conversation. */
const CONTEXT = 128;

/** Runs decode steps of invented sequences through some of a shard's layers, beside the stage that serves. */
export class LayerProbe {
  readonly #backend: Backend;
  readonly #shard: Shard;
  readonly #graph: Graph;
  readonly #layers: readonly (readonly [number, LayerWeights])[];
  #next = 0;

  constructor(backend: Backend, shard: Shard) {
    this.#backend = backend;
    this.#shard = shard;
    this.#layers = [...shard.weights.layers];
    this.#graph = Graph.open(backend, { maxTensors: 4096 + this.#layers.length * 2048 });
  }

  /** Layers of the shard. */
  get layers(): number {
    return this.#layers.length;
  }

  /**
   * Milliseconds of one step of `rows` rows through the next `layers` layers in turn, from describing the graph to its
   * result. Throws GGML_FAILED, OUT_OF_MEMORY.
   */
  async time(rows: number, layers: number): Promise<number> {
    const spans = this.#spans(rows);
    const { weights, config } = this.#shard;
    const shard = { ...this.#shard, weights: { ...weights, layers: this.#nextLayers(layers) } };
    const graph = this.#graph;
    const startedAt = performance.now();
    graph.reset();
    const inputs = new StepInputs(graph);
    const step = planStep(graph, spans, { shard, inputs });
    // Zeros leave K and V finite.
    const input = inputs.add(GgmlType.F32, [config.dim, rows], new Float32Array(config.dim * rows));
    const output = transformer(graph, shard, { x: input, step, wanted: "all" });
    if (output !== undefined) graph.output(output);
    graph.allocate();
    inputs.fill();
    await this.#backend.compute(graph);
    return performance.now() - startedAt;
  }

  close(): void {
    this.#graph.close();
  }

  #nextLayers(count: number): ReadonlyMap<number, LayerWeights> {
    const layers = new Map<number, LayerWeights>();
    for (let i = 0; i < count; i++) {
      const layer = this.#layers[this.#next++ % this.#layers.length];
      if (layer !== undefined) layers.set(...layer);
    }
    return layers;
  }

  /** Each sequence at position CONTEXT - 1. Its pages are scattered, like those of sequences that grow side by side. */
  #spans(rows: number): readonly StepSpan[] {
    const { pages, pageSize } = this.#shard.pages.shape;
    const perSequence = Math.min(pages, Math.ceil(CONTEXT / pageSize));
    const position = Math.min(CONTEXT, perSequence * pageSize) - 1;
    return Array.from({ length: rows }, (_, sequence) => {
      const table = new PageTable(pageSize);
      const ids = Array.from({ length: perSequence }, (_, page) => (page * rows + sequence) % pages);
      this.#shard.pages.prepare(ids);
      table.append(ids);
      return { ...SPAN, sequence, position, pages: ids, table };
    });
  }
}

const SPAN = { count: 1, firstPage: 0, sample: false, drafts: 0, targets: [], topTargets: 0, pool: false } as const;
