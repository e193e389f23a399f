import { type Backend, GgmlType, Graph, RowReader, Sampler } from "@rhone/ggml";
import { finalNorm, head, type Shard } from "../model/transformer.js";

const MAX_TENSORS = 64;

/** Runs the head of a shard alone, beside the stage that serves. */
export class HeadProbe {
  readonly #backend: Backend;
  readonly #shard: Shard;
  readonly #graph: Graph;
  readonly #reader: RowReader;

  constructor(backend: Backend, shard: Shard) {
    this.#backend = backend;
    this.#shard = shard;
    this.#graph = Graph.open(backend, { maxTensors: MAX_TENSORS });
    this.#reader = new RowReader(backend);
  }

  /** Milliseconds from `rows` hidden states of 0 to their most probable tokens. Throws GGML_FAILED, OUT_OF_MEMORY. */
  async time(rows: number): Promise<number> {
    const { dim } = this.#shard.config;
    const best = new Sampler({ temperature: 0 });
    const requests = Array.from({ length: rows }, (_, row) => ({
      row,
      alternatives: undefined,
      target: undefined,
      draw: best.request({ seed: 0, position: 0 }),
    }));
    const graph = this.#graph;
    graph.reset();
    const hidden = graph.input(GgmlType.F32, [dim, rows]);
    const logits = graph.output(head(graph, finalNorm(graph, hidden, this.#shard), this.#shard));
    graph.allocate();
    graph.setInput(hidden, new Float32Array(rows * dim));
    const startedAt = performance.now();
    await this.#backend.compute(graph);
    await this.#reader.read({ graph, tensor: logits }, requests);
    return performance.now() - startedAt;
  }

  close(): void {
    this.#reader.close();
    this.#graph.close();
  }
}
