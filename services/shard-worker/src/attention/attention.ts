import type { GgmlType, Graph, Ne, RopeOptions, Tensor } from "@rhone/ggml";
import type { Heads, ModelConfig } from "@rhone/model";
import type { Pages, PageTable } from "../kv-cache/pages.js";
import type { RowOrder } from "./row-order.js";

/** The rows that one sequence adds in a step: positions [position, position + count). */
export interface AttentionSpan {
  readonly position: number;
  readonly count: number;
  /** The first entry of `table` whose page is still allocated; entries before it hold other sequences' pages by now. */
  readonly firstPage: number;
  readonly table: PageTable;
}

/** Queries and keys before RoPE, in the shape of `Heads`, and how they are rotated. */
export interface UnrotatedHeads {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly rope: RopeOptions;
}

/**
 * Attention of one step: planned once from the step's spans, used by every layer. Everything that a way to attend needs
 * beyond q, k and v (masks, page lists, groups of sequences) is behind this interface.
 */
export interface StepAttention<Span extends AttentionSpan> {
  /** In which order the spans' rows are computed. */
  readonly order: RowOrder<Span>;
  /**
   * Writes k and v to the layer's pages, then attends: row p sees positions [max(0, p - W + 1), p] of its sequence,
   * those that this step writes included. Returns f32 [rows, nHeads * headDim] (ne [nHeads * headDim, rows]). The
   * writes happen even when nothing computes the result. `unrotated`: q and k before RoPE, for an implementation that
   * rotates them itself.
   */
  attend(layer: number, heads: Heads, unrotated?: UnrotatedHeads): Tensor;
}

export interface AttentionOptions {
  readonly inputs: StepInputs;
  readonly pages: Pages;
  readonly config: Pick<ModelConfig, "nHeads" | "headDim" | "slidingWindow">;
}

/**
 * Plans a step's attention, declaring what it needs as inputs of the graph. Throws STAGE_FAILED when a span sees a page
 * that was freed or never assigned.
 */
export type PlanAttention = <Span extends AttentionSpan>(
  graph: Graph,
  spans: readonly Span[],
  options: AttentionOptions,
) => StepAttention<Span>;

/** The inputs that a step's graph declares, with the bytes that fill them once the graph has memory. */
export class StepInputs {
  readonly #graph: Graph;
  readonly #contents: [Tensor, ArrayBufferView][] = [];
  /** Inputs that the graph has already, in the order of `add`. */
  readonly #declared: readonly Tensor[];

  constructor(graph: Graph, declared: readonly Tensor[] = []) {
    this.#graph = graph;
    this.#declared = declared;
  }

  /** The inputs of another step that computes the same graph: its caller adds the same ones again. */
  again(): StepInputs {
    return new StepInputs(
      this.#graph,
      this.#contents.map(([tensor]) => tensor),
    );
  }

  /** Declares an input; `data` must not change before `fill`. */
  add(type: GgmlType, ne: Ne, data: ArrayBufferView): Tensor {
    const tensor = this.#declared[this.#contents.length] ?? this.#graph.input(type, ne);
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
