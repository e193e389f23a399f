import { GgmlType, type Graph, type Tensor } from "@rhone/ggml";
import type { AttentionOptions, AttentionSpan } from "./attention.js";
import type { RowOrder } from "./row-order.js";

/** Writes the K and V of a step's rows to their pages, layer by layer. */
export class KvWriter {
  readonly #graph: Graph;
  readonly #pages: AttentionOptions["pages"];
  /** i32 [rows]: the row of the cache that each computed row's K and V go to. */
  readonly #cacheRows: Tensor;

  constructor(graph: Graph, order: RowOrder<AttentionSpan>, { inputs, pages }: AttentionOptions) {
    const rows = order.eachRow((span, i) => span.table.rowOf(span.position + i));
    this.#graph = graph;
    this.#pages = pages;
    this.#cacheRows = inputs.add(GgmlType.I32, [rows.length], rows);
  }

  /** Expanded before anything that is described later reads the pages, so the cache is written first. */
  write(layer: number, k: Tensor, v: Tensor): void {
    const graph = this.#graph;
    const [headDim, nKvHeads, rows] = k.ne;
    const kRows = graph.reshape2d(k, [headDim * nKvHeads, rows]);
    graph.expand(graph.setRows(this.#pages.keys(layer), kRows, this.#cacheRows));
    graph.expand(graph.setRows(this.#pages.values(layer), v, this.#cacheRows));
  }
}
