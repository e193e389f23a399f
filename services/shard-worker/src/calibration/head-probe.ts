import { GgmlType, Graph } from "@rhone/ggml";
import { finalNorm, head } from "../model/transformer.js";
import type { StageOptions } from "../stage/stage.js";

const MAX_TENSORS = 64;

/** Runs the head of a shard alone, beside the stage that serves. */
export class HeadProbe {
  readonly #options: StageOptions;
  readonly #graph: Graph;

  constructor(options: StageOptions) {
    this.#options = options;
    this.#graph = Graph.open(options.backend, { maxTensors: MAX_TENSORS });
  }

  /** Milliseconds from `rows` hidden states of zeros to their logits in our memory. Throws GGML_FAILED, OUT_OF_MEMORY. */
  async time(rows: number): Promise<number> {
    const { backend, shard } = this.#options;
    const { dim, vocabSize } = shard.config;
    const graph = this.#graph;
    graph.reset();
    const hidden = graph.input(GgmlType.F32, [dim, rows]);
    const logits = graph.output(head(graph, finalNorm(graph, hidden, shard), shard));
    graph.allocate();
    graph.setInput(hidden, new Float32Array(rows * dim));
    const startedAt = performance.now();
    await backend.compute(graph);
    graph.read(logits, new Float32Array(rows * vocabSize));
    return performance.now() - startedAt;
  }

  close(): void {
    this.#graph.close();
  }
}
