import { type Backend, GgmlType, Graph } from "@rhone/ggml";
import { finalNorm, head, type Shard } from "../model/transformer.js";

const MAX_TENSORS = 64;

/** Runs the head of a shard alone, beside the stage that serves. */
export class HeadProbe {
  readonly #backend: Backend;
  readonly #shard: Shard;
  readonly #graph: Graph;

  constructor(backend: Backend, shard: Shard) {
    this.#backend = backend;
    this.#shard = shard;
    this.#graph = Graph.open(backend, { maxTensors: MAX_TENSORS });
  }

  /** Milliseconds from `rows` hidden states of 0 to their logits in our memory. Throws GGML_FAILED, OUT_OF_MEMORY. */
  async time(rows: number): Promise<number> {
    const { dim, vocabSize } = this.#shard.config;
    const graph = this.#graph;
    graph.reset();
    const hidden = graph.input(GgmlType.F32, [dim, rows]);
    const logits = graph.output(head(graph, finalNorm(graph, hidden, this.#shard), this.#shard));
    graph.allocate();
    graph.setInput(hidden, new Float32Array(rows * dim));
    const startedAt = performance.now();
    await this.#backend.compute(graph);
    graph.read(logits, new Float32Array(rows * vocabSize));
    return performance.now() - startedAt;
  }

  close(): void {
    this.#graph.close();
  }
}
