import type { GgmlType, Graph, Ne, Tensor } from "@rhone/ggml";

/** The inputs that a step's graph declares, with the bytes that fill them once the graph has memory. */
export class StepInputs {
  readonly #graph: Graph;
  readonly #contents: [Tensor, ArrayBufferView][] = [];

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  /** Declares an input; `data` must not change before `fill`. */
  add(type: GgmlType, ne: Ne, data: ArrayBufferView): Tensor {
    const tensor = this.#graph.input(type, ne);
    this.#contents.push([tensor, data]);
    return tensor;
  }

  /** Call after `graph.allocate()`. Inputs that nothing computed needs have no memory, and stay empty. */
  fill(): void {
    for (const [tensor, data] of this.#contents) {
      if (this.#graph.isNeeded(tensor)) this.#graph.setInput(tensor, data);
    }
  }
}
